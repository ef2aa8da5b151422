package tasktest

import (
	"bytes"
	"cmp"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var flow = []behaviour{
	slowReaderHoldsTheWriter,
	slowReaderHoldsNobodyElse,
}

const (
	flood      = 64 << 20 // bytes of a large stream
	floodChunk = 64 << 10 // bytes of each chunk
	settled    = 500 * time.Millisecond
)

// A slow writer passes on the size of each chunk, and blocks until the test has received it.
type slow struct {
	got   chan int
	next  int    // number of the next chunk
	rest  []byte // expected
	wrong bool   // something else has come
}

func (s *slow) Write(b []byte) (int, error) {
	for left := b; len(left) > 0; {
		if len(s.rest) == 0 {
			s.rest = chunk(s.next, floodChunk)
			s.next++
		}
		n := min(len(left), len(s.rest))
		if !bytes.Equal(left[:n], s.rest[:n]) {
			s.wrong = true
		}
		left, s.rest = left[n:], s.rest[n:]
	}
	s.got <- len(b)
	return len(b), nil
}

// slowReaderHoldsTheWriter counts how far the task is ahead of the reader: everything in between is
// held in memory somewhere.
func slowReaderHoldsTheWriter(t *test) {
	p, w := t.place(), t.watch()
	out := &slow{got: make(chan int)}
	call := t.holdStream(t.Context(), p, heldStream, w.hold(), out)
	r := w.next()
	r.order(order{Write: flood / floodChunk, Size: floodChunk})
	r.end("")

	written, read, most := 0, 0, 0
	limit := cmp.Or(t.target.Ahead, 8<<20)
	count := func() (changed bool) {
		for {
			select {
			case rep, ok := <-r.reports:
				if !ok {
					return changed
				}
				if rep.Err != "" {
					t.Fatalf("the task's Write returned the error %s after %d bytes", rep.Err, written)
				}
				written, changed = rep.Chunks*floodChunk, true
				if most = max(most, written-read); most > limit {
					t.Fatalf("the writer is %d bytes ahead of the reader, want at most %d", most, limit)
				}
			default:
				return changed
			}
		}
	}
	for since := time.Now(); time.Since(since) < settled; time.Sleep(time.Millisecond) {
		if count() { // the writer has not stopped yet
			since = time.Now()
		}
	}
	for done := false; !done; {
		select {
		case n := <-out.got:
			read += n
			count()
		case e := <-call:
			if e.err != nil {
				t.Fatal(e.err)
			}
			done = true
		case <-time.After(patience):
			t.Fatalf("the stream does not continue after %d of %d bytes", read, flood)
		}
	}
	if read != flood || out.wrong {
		t.Errorf("got %d bytes, want %d; some are wrong: %v", read, flood, out.wrong)
	}
	t.Logf("the writer was up to %d bytes ahead", most)
}

func slowReaderHoldsNobodyElse(t *test) {
	p, w := t.start(offload.Config{Workers: 2}).Place, t.watch()
	out := &slow{got: make(chan int)}
	call := t.holdStream(t.Context(), p, heldStream, w.hold(), out)
	r := w.next()
	r.order(order{Write: 200, Size: floodChunk})
	receive(t, out.got, "chunk")
	for range 3 {
		must(t, p, echoEmpty, struct{}{})
		var rec recorder
		in := writing{Sizes: []int{10, 1000, floodChunk}}
		if e := stream(t, p, in, &rec); e.err != nil || !bytes.Equal(rec.got.Bytes(), in.all()) {
			t.Errorf("another stream got %d bytes, error %v", rec.got.Len(), e.err)
		}
	}
	r.end("")
	for {
		select {
		case <-out.got:
		case e := <-call:
			if e.err != nil || out.wrong {
				t.Errorf("the stream ended with the error %v; some bytes are wrong: %v", e.err, out.wrong)
			}
			return
		case <-time.After(patience):
			t.Fatal("the stream does not continue")
		}
	}
}
