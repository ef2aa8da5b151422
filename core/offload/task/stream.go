package task

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// A Stream is a task whose output is a stream of bytes. [RegisterStream] creates it. Its methods
// may be called by several goroutines at once.
type Stream[In any] struct {
	entry entry
	f     func(context.Context, In, io.Writer) error
}

// RegisterStream adds a task to s that writes its output to a Writer. Each Write is passed on as it
// is, and blocks while the reader is slow; it returns an error when the caller has left. Otherwise
// RegisterStream is like [Register].
func RegisterStream[In any](s *Set, name string, f func(context.Context, In, io.Writer) error, o Options) *Stream[In] {
	t := &Stream[In]{f: f}
	t.entry = entry{name: name, options: o, streams: true, run: t.run}
	s.add(&t.entry)
	return t
}

// Name returns the name of the task.
func (t *Stream[In]) Name() string { return t.entry.name }

// Options returns the options of the task.
func (t *Stream[In]) Options() Options { return t.entry.options }

// Do runs the task at p, and passes what it writes to w, which may be an http.ResponseWriter: after
// Do has returned, nothing is written to w. Do flushes w after each Write, if w has the method
// Flush, or if an [http.ResponseController] can flush it. The errors wrap those of [Task.Do], or
// that of w; whatever they are, w may have got a part of the output before: see [Fail]. A task of
// which w has got something is not run again.
func (t *Stream[In]) Do(ctx context.Context, p Place, in In, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := &gate{w: w, flush: flusher(w), cancel: cancel}
	defer g.close()
	c := &streamCall[In]{task: t, in: in}
	c.Job.entry, c.Job.body, c.Job.stream = &t.entry, c, g
	err := c.Job.do(ctx, p)
	if failed := g.err(); failed != nil {
		err = failed // the writer's error comes before that of the context, which it has caused
	}
	if err != nil && g.begun() {
		return &partError{err}
	}
	return err
}

// flusher returns a function that flushes w, or nil if there is nothing to flush.
func flusher(w io.Writer) func() error {
	switch w := w.(type) {
	case http.ResponseWriter:
		return http.NewResponseController(w).Flush
	case interface{ Flush() }:
		return func() error { w.Flush(); return nil }
	}
	return nil
}

// Encode returns in as the encoded input of the task, for a place that stores it. An error says
// that in cannot be encoded.
func (t *Stream[In]) Encode(in In) ([]byte, error) { return t.entry.encode(in) }

func (t *Stream[In]) run(ctx context.Context, input []byte, w io.Writer) ([]byte, error) {
	var in In
	if err := t.entry.decodeInput(input, &in); err != nil {
		return nil, err
	}
	return nil, t.f(ctx, in, w)
}

// A streamCall is one call of Stream.Do.
type streamCall[In any] struct {
	Job
	task *Stream[In]
	in   In
}

func (c *streamCall[In]) input() ([]byte, error) { return c.task.entry.encode(c.in) }

func (c *streamCall[In]) output([]byte) error { return nil }

func (c *streamCall[In]) here(ctx context.Context, w io.Writer) error { return c.task.f(ctx, c.in, w) }

// A gate passes chunks to the caller's writer until the caller leaves.
type gate struct {
	w      io.Writer
	flush  func() error       // nil if w has nothing to flush
	cancel context.CancelFunc // of the call, if w fails

	mu     sync.Mutex // guards following, and calls of w
	closed bool
	wrote  bool
	failed error
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, ErrLeft
	}
	if g.failed != nil {
		return 0, g.failed
	}
	g.wrote = true
	n, err := g.w.Write(b)
	if err == nil && g.flush != nil {
		if err = g.flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	if err != nil {
		g.failed = err
		g.cancel()
	}
	return n, err
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

func (g *gate) begun() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wrote
}
