package child

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
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
// exits with status 1.
//
// While Serve runs, and after it, os.Stdout is os.Stderr, so that nothing is printed among the
// answers. The program should complete its preparations before it calls Serve.
func Serve(f func(request []byte) (answer []byte, err error)) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	out := os.Stdout
	os.Stdout = os.Stderr
	return newServer(os.Stdin, out).serve(f)
}

// orphanTime is how long a task may continue after the parent has died, and exit ends the process
// then. Tests replace them.
var (
	orphanTime = 5 * time.Second
	exit       = os.Exit
)

// A server serves the child's side of the pipes.
type server struct {
	in       io.Reader
	out      io.Writer
	requests chan frame    // closed by read when there are no more
	err      error         // why there are no more; set before requests is closed
	done     chan struct{} // closed when serve returns
}

func newServer(in io.Reader, out io.Writer) *server {
	return &server{in: in, out: out, requests: make(chan frame), done: make(chan struct{})}
}

func (s *server) serve(f func([]byte) ([]byte, error)) error {
	defer close(s.done)
	if err := (frame{}).write(s.out); err != nil {
		return err
	}
	go s.read()
	for ask := range s.requests {
		answer := frame{id: ask.id}
		var err error
		if answer.payload, err = f(ask.payload); err != nil {
			answer.kind, answer.payload = failed, []byte(err.Error())
		}
		if err := answer.write(s.out); err != nil {
			return err
		}
	}
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// read reads requests ahead, so that the end of the parent is noticed while a task is running. It
// returns when standard input ends, unless serve does not return in time: then it ends the process.
func (s *server) read() {
	for {
		ask, err := readFrame(s.in, math.MaxInt)
		if err != nil {
			s.err = err
			close(s.requests)
			break
		}
		select {
		case s.requests <- ask:
		case <-s.done:
			return
		}
	}
	select {
	case <-s.done:
	case <-time.After(orphanTime):
		fmt.Fprintf(os.Stderr, "child: exiting: the parent is gone, and the task did not return within %v\n", orphanTime)
		exit(1)
	}
}
