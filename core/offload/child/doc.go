// Package child runs tasks in child processes, as resources of package offload: each worker owns
// one process, which serves one request at a time. If a child crashes, exits or hangs, only the
// task that it was running gets an error, and the child is replaced.
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
// The child's program calls [Serve]. It may be a different program, the same one started with an
// argument, or one written in another language.
//
// # Failures
//
// The package detects
//
//   - a child that ends, in whatever way: a child that exits is noticed at once, even while idle.
//   - a child that hangs: if the context of a request has ended and [Command.Grace] has passed as
//     well, the child is killed. Without a deadline, from the caller or from
//     [offload.Config.Timeout], a hanging child is not detected.
//   - a child that sends an answer to another request, or one of more than [Command.MaxAnswer]
//     bytes: it is killed.
//
// A request whose context has ended is not canceled: the child continues with it, and has Grace to
// answer; the answer is dropped. Killing a child whenever a client disconnects would be expensive
// if children start slowly.
//
// # The protocol
//
// Requests arrive on the child's standard input, and answers go to its standard output; standard
// error is as set in the command. Both are frames: a header of 16 bytes, and the payload. Numbers
// are big-endian.
//
//	bytes 0-3     the length of the payload
//	bytes 4-7     0: request or answer; 1: the payload is the text of an error
//	bytes 8-15    the number of the request, or of the request being answered: 1, 2, 3, …
//
// When the child is ready for requests it sends a frame of zeros. It ends when its standard input
// is closed, which also happens if the parent dies.
package child
