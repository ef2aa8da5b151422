package observe

import (
	"sync"
	"testing"
)

// A copier is an Observer that keeps copies of the requests that have ended.
type copier struct {
	mu  sync.Mutex
	all []Request
}

func (o *copier) RequestStart(*Request) {}
func (o *copier) Conn(ConnEvent)        {}
func (o *copier) RequestEnd(r *Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, *r)
}

// An Observer may copy requests while a Recorder has them in its list.
func TestRequestsMayBeCopied(t *testing.T) {
	o, rec := new(copier), NewRecorder()
	all := Observers(o, rec)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				r := &Request{Method: "GET", Status: 200}
				all.RequestStart(r)
				all.RequestEnd(r)
			}
		})
	}
	wg.Wait()
	if _, n := rec.Active(1); n != 0 || len(o.all) != 800 {
		t.Errorf("%d requests are in flight, and %d were copied; want none, and 800", n, len(o.all))
	}
	if n := len(rec.flights[0].slots); n > 4 {
		t.Errorf("%d slots for 4 requests at a time", n)
	}
}
