package task

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
)

var errBroken = errors.New("broken")

// hooked is a Writer with hooks.
type hooked struct {
	write func([]byte) (int, error)
	flush func()
}

func (w hooked) Write(b []byte) (int, error) { return w.write(b) }
func (w hooked) Flush()                      { w.flush() }

func TestGateIsClosedOnce(t *testing.T) {
	var got bytes.Buffer
	g := &gate{w: &got, cancel: func() {}}
	if g.begun() {
		t.Error("nothing was written, but it has begun")
	}
	if n, err := g.Write([]byte("a")); n != 1 || err != nil || !g.begun() {
		t.Errorf("Write returned %d, %v", n, err)
	}
	g.close()
	g.close()
	if n, err := g.Write([]byte("b")); n != 0 || err != ErrLeft {
		t.Errorf("Write returned %d, %v, want ErrLeft", n, err)
	}
	if got.String() != "a" || g.err() != nil {
		t.Errorf("it wrote %q, error %v", got.String(), g.err())
	}
}

func TestGateKeepsTheErrorOfItsWriter(t *testing.T) {
	calls, canceled := 0, 0
	g := &gate{w: hooked{write: func(b []byte) (int, error) { calls++; return 1, errBroken }}, cancel: func() { canceled++ }}
	for want := 1; want >= 0; want-- {
		if n, err := g.Write([]byte("ab")); n != want || err != errBroken {
			t.Errorf("Write returned %d, %v, want %d, %v", n, err, want, errBroken)
		}
	}
	if calls != 1 || canceled != 1 || g.err() != errBroken {
		t.Errorf("%d writes, %d cancels, error %v", calls, canceled, g.err())
	}
	g.close()
	if _, err := g.Write(nil); err != ErrLeft {
		t.Errorf("Write returned %v, want ErrLeft", err)
	}
}

// A writer that panics must leave the gate usable, because Do closes it.
func TestGateSurvivesAPanicOfItsWriter(t *testing.T) {
	g := &gate{w: hooked{write: func([]byte) (int, error) { panic("w") }}, cancel: func() {}}
	if text := panicOf(func() { g.Write([]byte("x")) }); text != "w" {
		t.Errorf("the panic is %q", text)
	}
	g.close()
	if !g.begun() {
		t.Error("w was called, but it has not begun")
	}
}

func TestGateWaitsForAWriteBeforeItIsClosed(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	written := false // with the lock of the gate
	g := &gate{w: hooked{write: func(b []byte) (int, error) {
		close(entered)
		<-leave
		written = true
		return len(b), nil
	}}, cancel: func() {}}
	done.Go(func() { g.Write([]byte("x")) })
	<-entered
	done.Go(func() { close(leave) })
	g.close()
	if !written {
		t.Error("close returned while Write was running")
	}
	done.Wait()
}

var (
	gateTasks Set
	writes    = RegisterStream(&gateTasks, "writes", func(_ context.Context, n int, w io.Writer) error {
		for range n {
			if _, err := io.WriteString(w, "x"); err != nil {
				return err
			}
		}
		if n == 3 {
			return errOwn
		}
		return nil
	}, Options{})
)

// local1 returns a place with one worker.
func local1(t testing.TB) Place {
	p, err := offload.New(offload.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); <-p.Done() })
	return Local(p)
}

func TestStreamsAreFlushed(t *testing.T) {
	p := local1(t)
	flushed := 0
	w := hooked{write: func(b []byte) (int, error) { return len(b), nil }, flush: func() { flushed++ }}
	if err := writes.Do(t.Context(), p, 2, w); err != nil || flushed != 2 {
		t.Errorf("%d flushes, error %v", flushed, err)
	}
	rec := httptest.NewRecorder()
	if err := writes.Do(t.Context(), p, 2, struct{ unwraps }{unwraps{rec}}); err != nil || !rec.Flushed || rec.Body.String() != "xx" {
		t.Errorf("a wrapped ResponseWriter was flushed: %v, has %q, error %v", rec.Flushed, rec.Body, err)
	}
	if err := writes.Do(t.Context(), p, 2, cannotFlush{rec}); err != nil {
		t.Errorf("a ResponseWriter that cannot be flushed: %v", err)
	}
	if err := writes.Do(t.Context(), p, 2, failsToFlush{rec}); !errors.Is(err, errBroken) {
		t.Errorf("a ResponseWriter that fails to flush: %v", err)
	}
	if err := writes.Do(t.Context(), p, 2, io.Discard); err != nil {
		t.Error(err)
	}
}

// unwraps is a ResponseWriter of middleware.
type unwraps struct{ rec *httptest.ResponseRecorder }

func (w unwraps) Header() http.Header         { return w.rec.Header() }
func (w unwraps) WriteHeader(code int)        { w.rec.WriteHeader(code) }
func (w unwraps) Write(b []byte) (int, error) { return w.rec.Write(b) }
func (w unwraps) Unwrap() http.ResponseWriter { return w.rec }

type cannotFlush struct{ rec *httptest.ResponseRecorder }

func (w cannotFlush) Header() http.Header         { return w.rec.Header() }
func (w cannotFlush) WriteHeader(code int)        { w.rec.WriteHeader(code) }
func (w cannotFlush) Write(b []byte) (int, error) { return w.rec.Write(b) }

type failsToFlush struct{ *httptest.ResponseRecorder }

func (w failsToFlush) FlushError() error { return errBroken }

func TestErrorOfTheWriterComesFirst(t *testing.T) {
	err := writes.Do(t.Context(), local1(t), 1, hooked{write: func([]byte) (int, error) { return 0, errBroken }, flush: func() {}})
	if !errors.Is(err, errBroken) || errors.Is(err, context.Canceled) || err.Error() != "broken" {
		t.Errorf("the error is %v", err)
	}
}

func TestErrorAfterAPartIsStillTheTasks(t *testing.T) {
	var got strings.Builder
	err := writes.Do(t.Context(), local1(t), 3, &got)
	var own *Error
	if !errors.As(err, &own) || !errors.Is(err, errOwn) || err.Error() != "task writes: own" || got.String() != "xxx" {
		t.Errorf("the error is %v after %q", err, got.String())
	}
}
