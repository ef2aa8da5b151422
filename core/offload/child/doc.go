// Package child runs tasks in child processes. If a child crashes, exits or hangs, only the task
// that it was running is lost, and the child is replaced. There are two ways to use it.
//
// # A place for tasks
//
// [Open] starts children that run the tasks of package task, and returns a [Place]. The children
// are the same program: [Main] makes it one.
//
//	var tasks task.Set
//	var shrink = task.Register(&tasks, "shrink", shrinkPicture, task.Options{Idempotent: true})
//
//	func main() {
//		child.Main(&tasks)
//		...
//		place, err := child.Open(ctx, child.Config{Tasks: &tasks, Workers: 4})
//		...
//		small, err := shrink.Do(r.Context(), place, large)
//
// A [Group] is a number of children that run some of the tasks. A child prepares for all tasks of
// its group before it is ready (task.Options.Warm), and then runs one at a time. When the caller of
// a task leaves, or at the deadline, the context of the task ends; the child has [Command.Grace] to
// return from the task, and is killed then. What a task writes to a stream arrives as it is
// written; the child is at most 128 KiB ahead of the reader.
//
// Children are replaced, without losing a task, on command (see [Place.Restart]), by age, by number
// of tasks, by memory, and after a task has panicked: the old child serves until the new one is
// ready. A task whose child was lost runs in another one if it is idempotent and its caller has got
// nothing of it, or if the child had not got all of the task. Otherwise its caller gets an error
// that wraps [task.ErrLost].
//
// # Processes as resources
//
// A [Process] is a resource of package offload, for a child that is another program, or is written
// in another language: a request is bytes, and so is its answer.
//
//	command := child.Command{New: func() *exec.Cmd { return exec.Command("resize-images") }}
//	children, err := offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
//		Config: offload.Config{Workers: 4, Timeout: 10 * time.Second},
//		Open:   command.Start,
//		Close:  (*child.Process).Close,
//	})
//	...
//	shrink := func(ctx context.Context, p *child.Process) ([]byte, error) {
//		return p.Call(ctx, large)
//	}
//	small, err := offload.Use(ctx, children, shrink)
//
// The child's program calls [Serve], or does what the section on the protocol says.
//
// A request whose context has ended is not canceled: the child continues with it, and has Grace to
// answer; the answer is dropped. Killing a child whenever a client disconnects would be expensive
// if children start slowly.
//
// # Failures
//
// The package detects
//
//   - a child that ends, in whatever way: a child that exits is noticed at once, even while idle.
//   - a child that hangs: if the context of a request or task has ended and [Command.Grace] has
//     passed as well, the child is killed. Without a deadline, from the caller or from
//     [offload.Config.Timeout], a hanging child is not detected.
//   - a child that answers another request, sends more than [Command.MaxAnswer] bytes, or breaks
//     the protocol in another way: it is killed.
//
// # The protocol
//
// Requests arrive on the child's standard input, and answers go to its standard output; standard
// error is as set in the command. Both are frames: a header of 16 bytes, and the payload. Numbers
// are big-endian.
//
//	bytes 0-3     the length of the payload
//	bytes 4-7     the kind
//	bytes 8-15    the number of the request or task that the frame belongs to: 1, 2, 3, …
//
// When the child is ready for requests it sends a frame of zeros. It ends when its standard input
// is closed, which also happens if the parent dies. The kinds are
//
//	0  both ways    a request or its answer; with number 0, that the child is ready
//	1  from child   the text of an error, instead of an answer, or of being ready
//	2  to child     a version, 1 byte, and the names of the tasks to prepare for, separated by zero
//	                bytes; number 0; the first frame for a child that serves tasks
//	3  from child   the name of the task that it begins to prepare for; number 0
//	4  to child     a task: the time until its deadline in nanoseconds, 8 bytes, zero if there is
//	                none; the maximum size of its output, 4 bytes; the length of its name, 1 byte;
//	                the name; the input
//	5  to child     the context of the task has ended
//	6  to child     credit for a stream, 4 bytes
//	7  from child   a part of a stream, at most 64 KiB
//	8  from child   the outcome of a task: its kind, 1 byte; a code, the text of an error or panic,
//	                and a stack, each with its length, 4 bytes, before it; the output
//	9  both ways    a call of the stash and its answer, as JSON
//
// A child may send 128 KiB of kind 7, with headers, and then as much as it gets credit for. The
// kinds 2 to 9 are for [ServeTasks] in the same version of the program, and may change.
//
// # Why pipes
//
// A call takes one write and one read on each side. In the child, the goroutine that has read a
// task runs it and sends its outcome. Another one reads what arrives meanwhile, but starts only
// when the task has been running for a millisecond: handing each task from a reader to a worker
// took twice as long. So did a pair of sockets instead of two pipes.
package child
