package observe

import "sync"

// links are the place of a Request among those in flight. Only the goroutine that serves the
// request uses them, so that an Observer may copy the Request.
type links struct {
	in   *flight // nil: in none
	slot int     // the index in in.slots
}

// A flight is a set of requests in flight.
type flight struct {
	mu    sync.Mutex // guards the following
	slots []*Request // nil if free
	free  []int      // the indexes of free slots
	_     [40]byte   // so that another flight is on another cache line
}

// add adds r, unless another Recorder has it already.
func (f *flight) add(r *Request) {
	if r.in != nil {
		return
	}
	f.mu.Lock()
	if last := len(f.free) - 1; last >= 0 {
		r.slot = f.free[last]
		f.free = f.free[:last]
	} else {
		r.slot = len(f.slots)
		f.slots = append(f.slots, nil)
	}
	f.slots[r.slot] = r
	f.mu.Unlock()
	r.in = f
}

// remove removes r, if it is in f.
func (f *flight) remove(r *Request) {
	if r.in != f {
		return
	}
	f.mu.Lock()
	f.slots[r.slot] = nil
	f.free = append(f.free, r.slot)
	f.mu.Unlock()
	r.links = links{}
}
