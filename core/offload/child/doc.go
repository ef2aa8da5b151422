// Package child runs tasks in child processes, as resources of package offload: each worker owns one
// process, which answers one request at a time. A child that crashes, exits or hangs costs the task that it
// had, which gets an error, and is replaced.
//
//	command := child.Command{New: func() *exec.Cmd { return exec.Command("resize-images") }}
//	children, err := offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
//		Config: offload.Config{Workers: 4, Timeout: 10 * time.Second},
//		Open:   command.Start,
//		Close:  (*child.Process).Close,
//	})
//	...
//	small, err := offload.Use(ctx, children, func(ctx context.Context, p *child.Process) ([]byte, error) {
//		return p.Call(ctx, large)
//	})
//
// The program calls [Serve]. It may be another one, this one started with an argument, or be written in another language.
//
// # What is noticed
//
//   - A child that ends, in whichever way: at once, by the process's end, even while it is idle.
//   - A child that hangs: when the context of a request has ended and [Command.Grace] is over besides, it is killed.
//     Without a deadline, of the caller's or [offload.Config.Timeout], nothing says that a child is hanging.
//   - A child that answers what it was not asked, or with more than [Command.MaxAnswer] bytes: it is killed.
//
// A request whose context has ended is not taken back: the child goes on with it, and has Grace to answer, which nobody
// gets. Killing it at once for every client that has gone would be dear if starting is.
//
// # The protocol
//
// Requests come on the child's standard input, answers go to its standard output; standard error is as the command
// says. Both are frames: a head of 16 bytes, and the payload. Numbers are big-endian.
//
//	bytes 0-3     how long the payload is
//	bytes 4-7     0: request or answer; 1: the payload is the text of an error
//	bytes 8-15    which request this is or answers: 1, 2, 3, …
//
// When it is ready for requests the child says so with a frame that is all zeros. It ends when its standard input does,
// which is also what becomes of it if the parent dies.
package child
