package tasktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var streams = []behaviour{
	chunksArriveInOrder,
	largeChunkArrives,
	emptyStreamWritesNothing,
	emptyChunksAreHarmless,
	chunksArriveWhileTheTaskRuns,
	everyChunkIsFlushed,
	errorComesAfterTheChunks,
	panicComesAfterTheChunks,
	writerThatFailsEndsCallAndTask,
	nothingIsWrittenAfterTheCall,
	chunksAfterTheTaskAreDropped,
}

// A writing is the input of a task that writes chunks, and then ends.
type writing struct {
	First int // the number of the first chunk
	Sizes []int
	End   manner // the zero value means that it returns
}

// all returns everything that the task writes.
func (in writing) all() []byte {
	var b []byte
	for i, n := range in.Sizes {
		b = append(b, chunk(in.First+i, n)...)
	}
	return b
}

func writeChunks(_ context.Context, in writing, w io.Writer) error {
	for i, size := range in.Sizes {
		if n, err := w.Write(chunk(in.First+i, size)); err != nil {
			return err
		} else if n != size {
			return fmt.Errorf("Write of %d bytes returned %d", size, n)
		}
	}
	if in.End.How == "" {
		return nil
	}
	return in.End.end()
}

// writeLate also writes after it has returned.
func writeLate(_ context.Context, n int, w io.Writer) error {
	go func() {
		for range 20 {
			w.Write([]byte("late"))
		}
	}()
	return nil
}

// chunk returns n bytes that depend on i.
func chunk(i, n int) []byte {
	b := make([]byte, n)
	seed := fmt.Sprintf("chunk %d|", i)
	for at := copy(b, seed); at < n; at *= 2 {
		copy(b[at:], b[:at])
	}
	return b
}

// A recorder records the sizes of what is written to it, and the calls of Flush.
type recorder struct {
	mu      sync.Mutex // guards following
	got     bytes.Buffer
	sizes   []int
	flushes int
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sizes = append(r.sizes, len(b))
	return r.got.Write(b)
}

func (r *recorder) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushes++
}

func (r *recorder) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Len()
}

// stream calls the task chunks and waits for its end.
func stream(t *test, p task.Place, in writing, w io.Writer) ending[struct{}] {
	t.Helper()
	return receive(t, startErr(func() error { return chunks.Do(t.Context(), p, in, w) }), "end of the stream")
}

func chunksArriveInOrder(t *test) {
	in := writing{Sizes: []int{1, 10, 1000, 1, 64 << 10, 63 << 10, 2, 2, 2}}
	var r recorder
	if e := stream(t, t.place(), in, &r); e.err != nil {
		t.Fatal(e.err)
	}
	if !bytes.Equal(r.got.Bytes(), in.all()) {
		t.Errorf("got %d bytes, which are not the %d bytes that were written", r.got.Len(), len(in.all()))
	}
	if !slices.Equal(r.sizes, in.Sizes) {
		t.Errorf("got chunks of %v bytes, want %v", r.sizes, in.Sizes)
	}
}

func largeChunkArrives(t *test) {
	in := writing{Sizes: []int{1, 5 << 20, 1}}
	var r recorder
	if e := stream(t, t.place(), in, &r); e.err != nil {
		t.Fatal(e.err)
	}
	if !bytes.Equal(r.got.Bytes(), in.all()) {
		t.Errorf("got %d bytes, which are not the %d bytes that were written", r.got.Len(), len(in.all()))
	}
}

func emptyStreamWritesNothing(t *test) {
	var r recorder
	if e := stream(t, t.place(), writing{}, &r); e.err != nil || len(r.sizes) != 0 {
		t.Errorf("the stream ended with the error %v after the chunks %v", e.err, r.sizes)
	}
}

func emptyChunksAreHarmless(t *test) {
	in := writing{Sizes: []int{0, 1, 0, 0, 2, 0}}
	var r recorder
	if e := stream(t, t.place(), in, &r); e.err != nil || !bytes.Equal(r.got.Bytes(), in.all()) {
		t.Errorf("the stream ended with the error %v after the chunks %v", e.err, r.sizes)
	}
}

func chunksArriveWhileTheTaskRuns(t *test) {
	p, w := t.place(), t.watch()
	var r recorder
	call := t.holdStream(t.Context(), p, heldStream, w.hold(), &r)
	task := w.next()
	for i := range 3 {
		task.order(order{Write: 1, Size: 10})
		t.eventually("the chunk has arrived", func() bool { return r.len() == 10*(i+1) })
	}
	task.end("")
	if e := receive(t, call, "end of the stream"); e.err != nil {
		t.Error(e.err)
	}
}

func everyChunkIsFlushed(t *test) {
	var r recorder
	if e := stream(t, t.place(), writing{Sizes: []int{1, 2, 3}}, &r); e.err != nil || r.flushes < 3 {
		t.Errorf("the stream ended with the error %v after %d flushes, want 3", e.err, r.flushes)
	}
}

func errorComesAfterTheChunks(t *test) {
	in := writing{Sizes: []int{100, 200}, End: manner{How: "coded error", Code: "half", Text: "no more"}}
	var r recorder
	e := stream(t, t.place(), in, &r)
	var own *task.Error
	if !errors.As(e.err, &own) || own.Code != "half" || own.Message != "no more" || own.Task != chunks.Name() {
		t.Errorf("the error is %#v", e.err)
	}
	if !bytes.Equal(r.got.Bytes(), in.all()) {
		t.Errorf("got %d bytes before the error, want %d", r.got.Len(), len(in.all()))
	}
}

func panicComesAfterTheChunks(t *test) {
	in := writing{Sizes: []int{100, 200}, End: manner{How: "panic", Text: "very bad"}}
	var r recorder
	e := stream(t, t.place(), in, &r)
	v, ok := e.panic.(*offload.Panic)
	if !ok || fmt.Sprint(v.Value) != "very bad" || !strings.Contains(string(v.Stack), "panicsDeepInside") {
		t.Errorf("the stream ended with the panic %v and the error %v", e.panic, e.err)
	}
	if !bytes.Equal(r.got.Bytes(), in.all()) {
		t.Errorf("got %d bytes before the panic, want %d", r.got.Len(), len(in.all()))
	}
}

// A failing writer fails after some writes.
type failing struct{ left int }

func (w *failing) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errWriter
	}
	return len(b), nil
}

func writerThatFailsEndsCallAndTask(t *test) {
	p, w := t.place(), t.watch()
	call := t.holdStream(t.Context(), p, heldStream, w.hold(), &failing{left: 2})
	r := w.next()
	r.order(order{Write: 3, Size: 10})
	fails(t, call, errWriter)
	r.contextEnds()
	r.gone()
	must(t, p, echoEmpty, struct{}{})
}

// A closing writer fails the test when it is written to after close.
type closing struct {
	t      *test
	mu     sync.Mutex // guards following
	closed bool
	wrote  chan struct{} // closed by the first Write
}

func (w *closing) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.t.Error("Write was called after Do had returned")
	}
	if w.wrote != nil {
		close(w.wrote)
		w.wrote = nil
	}
	return len(b), nil
}

func nothingIsWrittenAfterTheCall(t *test) {
	p, w := t.place(), t.watch()
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		wrote := make(chan struct{})
		out := &closing{t: t, wrote: wrote}
		call := startErr(func() error {
			err := heldStream.Do(ctx, p, w.hold(), out)
			out.mu.Lock()
			out.closed = true
			out.mu.Unlock()
			return err
		})
		r := w.next()
		r.order(order{Write: 200, Size: 1000})
		receive(t, wrote, "chunk")
		cancel()
		fails(t, call, context.Canceled)
		r.gone()
	}
	must(t, p, echoEmpty, struct{}{})
}

func chunksAfterTheTaskAreDropped(t *test) {
	p := t.start(offload.Config{Workers: 1}).Place
	for range 20 {
		e := receive(t, startErr(func() error { return late.Do(t.Context(), p, 0, io.Discard) }), "end of the stream")
		if e.err != nil {
			t.Fatal(e.err)
		}
		in := writing{Sizes: []int{10}}
		var r recorder
		if e := stream(t, p, in, &r); e.err != nil || !bytes.Equal(r.got.Bytes(), in.all()) {
			t.Fatalf("the next stream got %q, and the error %v", r.got.Bytes(), e.err)
		}
		if got := must(t, p, ends, manner{How: "return", Text: "next"}); got != "next" {
			t.Fatalf("the next call got %q", got)
		}
	}
}
