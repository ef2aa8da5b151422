package observe

import "sync"

// links are the place of a Request in a list of those in flight.
type links struct {
	prev, next *Request
	in         *flight // nil: in none
}

// A flight is a list of requests in flight, in no particular order.
type flight struct {
	mu    sync.Mutex // guards the following, and the links of the requests
	first *Request
	n     int
	_     [40]byte // so that another flight is on another cache line
}

// add adds r, unless another Recorder has it in a list already.
func (f *flight) add(r *Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.in != nil {
		return
	}
	r.in, r.prev, r.next = f, nil, f.first
	if f.first != nil {
		f.first.prev = r
	}
	f.first = r
	f.n++
}

// remove removes r, if it is in f.
func (f *flight) remove(r *Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.in != f {
		return
	}
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		f.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.links = links{}
	f.n--
}
