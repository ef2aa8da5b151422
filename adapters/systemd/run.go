package systemd

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// Run serves s on all sockets that systemd has passed and [Listener] has not returned, and sends
// the notifications of the package comment. Without such a socket it listens on s.HTTP.Addr. It
// drains s on SIGINT or SIGTERM: see [recycling.Server.Run]. Its errors are those of that method
// and of [Listeners].
//
// Run speaks HTTP without TLS. It replaces s.HTTP.BaseContext by a function that calls it. s must
// not have been returned by [recycling.Use], and must not have the option [Notify].
func Run(s *recycling.Server) error {
	all, err := Listeners()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	n := newNotifier(s, max(len(all), 1), nil)
	defer n.alive.Wait()
	defer n.ended()
	context.AfterFunc(ctx, n.stopping) // before LameDuck
	var serve func() error
	if len(all) > 0 {
		serve = func() error { return serveAll(s, all) }
	}
	return s.Run(ctx, serve)
}

// serveAll serves s on all listeners, until s is shut down or one of them fails.
func serveAll(s *recycling.Server, all []*listener.Listener) error {
	errs := make(chan error, len(all))
	for _, l := range all {
		go serveOne(s, l, errs)
	}
	var failed error
	for range all {
		if err := <-errs; failed == nil && !errors.Is(err, http.ErrServerClosed) {
			failed = err
			s.Close() // ends the others
		}
	}
	return cmp.Or(failed, http.ErrServerClosed)
}

func serveOne(s *recycling.Server, l *listener.Listener, errs chan<- error) { errs <- s.Serve(l) }
