package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// An Error is the text of an error returned by the child's function. The child itself has not
// failed.
type Error string

func (e Error) Error() string { return string(e) }

// Serve runs in the child. It reports that the child is ready, and then answers requests with f,
// one after the other. It returns nil when standard input ends, and an error if it stops for any
// other reason. If f returns an error, the parent gets its text, as an [Error]. If f panics, so
// does Serve, which ends the child; the parent starts a new one.
//
// Terminals, systemd and Kubernetes send their signals to the server's children too, while the
// server drains and still needs them. So a child ends when its parent closes its standard input or
// dies, and not by a signal: Serve ignores [os.Interrupt], SIGTERM and SIGHUP, and so do processes
// that f starts. If the parent dies while f is running, f has 5 seconds to return; then the process
// exits with status 1. SIGPIPE does not end it before that.
//
// While Serve runs, and after it, os.Stdout is os.Stderr, so that nothing is printed among the
// answers. The program should complete its preparations before it calls Serve.
func Serve(f func(request []byte) (answer []byte, err error)) error {
	in, out := takePipes()
	return newServer(in, out).serve(f)
}

// takePipes takes standard input and output for the protocol.
func takePipes() (in io.Reader, out io.Writer) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// If the parent is gone, a write to it returns an error: the task can clean up. SIGPIPE is not
	// ignored, because the processes that a task starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	in, out = os.Stdin, os.Stdout
	os.Stdout = os.Stderr
	return in, out
}

// serve answers requests with f on its own goroutine.
func (s *server) serve(f func([]byte) ([]byte, error)) error {
	defer s.stop()
	if err := s.out.send(frame{}); err != nil {
		return err
	}
	for {
		ask, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ask.kind > failed {
			return fmt.Errorf("child: a frame of kind %d, want a request", ask.kind)
		}
		s.begin(&running{id: ask.id})
		answer := frame{id: ask.id}
		if answer.payload, err = f(ask.payload); err != nil {
			answer.kind, answer.payload = failed, []byte(err.Error())
		}
		s.end()
		if err := s.out.send(answer); err != nil {
			return err
		}
	}
}
