// Package harness starts and tracks processes for bench, and writes trial reports.
//
//	p, err := harness.Start(ctx, harness.Command{Args: []string{ServerArg, "-conns", "100"}})
//	...
//	defer p.Stop()
//	conn, err := net.Dial("tcp", p.Addr())
//
// Commands that run to their end, such as go test or kill, are started with package exec alone. So
// are the workers that servers start with package core/offload/child, as applications do: they are
// a part of what is measured.
//
// The [Report] of a trial writes lines or a table, says which of them do not hold, and returns an
// error if there are any.
package harness
