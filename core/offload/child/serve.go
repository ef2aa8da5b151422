package child

import (
	"errors"
	"io"
	"math"
	"os"
	"os/signal"
)

// An Error is the text of an error that the child's function has returned. The child has not failed.
type Error string

func (e Error) Error() string { return string(e) }

// Serve is the child's side: it says that the child is ready, and then answers requests with f, one after the
// other, until standard input ends; then it returns nil. Anything else ends it with an error. If f returns an error, its text is what
// the parent gets, as an [Error]. If f panics so does Serve, which ends the child: the parent starts a new one.
//
// A signal that a terminal sends to all processes shall not end the child before its parent has drained: Serve ignores
// [os.Interrupt]. From then on, os.Stdout is os.Stderr, so that nothing is printed into the answers. What the program has
// to prepare, it should before it calls Serve.
func Serve(f func(request []byte) (answer []byte, err error)) error {
	signal.Ignore(os.Interrupt)
	out := os.Stdout
	os.Stdout = os.Stderr
	return serve(os.Stdin, out, f)
}

func serve(in io.Reader, out io.Writer, f func([]byte) ([]byte, error)) error {
	if err := (frame{}).write(out); err != nil {
		return err
	}
	for {
		ask, err := readFrame(in, math.MaxInt)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := frame{id: ask.id}
		if answer.payload, err = f(ask.payload); err != nil {
			answer.kind, answer.payload = failed, []byte(err.Error())
		}
		if err := answer.write(out); err != nil {
			return err
		}
	}
}
