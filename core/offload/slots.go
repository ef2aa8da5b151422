package offload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Slots are amounts of what tasks share, by name: {"GPU": 1}, {"memory": 2 << 30}. The names and
// units are the application's. A name that is absent has the amount zero.
type Slots map[string]int64

// ErrSlots reports that tasks need more slots than [Config.Slots] has. Waiting would not help.
var ErrSlots = errors.New("offload: needs more slots than there are")

// check returns an error if an amount is negative.
func (s Slots) check() error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if n := s[name]; n < 0 {
			return fmt.Errorf("offload: Slots[%q] is %d, want zero or more", name, n)
		}
	}
	return nil
}

// A slot is one of Config.Slots. The calls that wait and need some of it are in a list, oldest
// first; only the first one may take any. So a call that needs much is not overtaken forever by
// calls that need little.
type slot struct {
	name        string
	total       int64
	free        int64 // guarded by the pool's mutex, as are the following; 0 <= free <= total
	first, last *claim
}

// A need is an amount of a slot, by its index. The amount is more than zero, and not more than the
// slot's total.
type need struct {
	slot   int
	amount int64
}

// A slotRequest is what one call needs.
type slotRequest struct {
	needs  []need  // shared by calls, and not changed
	claims []claim // one for each need, while the call waits
}

// A claim is a call's place in the list of a slot.
type claim struct {
	call       *call
	prev, next *claim
}

// request returns the request of one call; nil if it needs nothing.
func request(needs []need) *slotRequest {
	if len(needs) == 0 {
		return nil
	}
	return &slotRequest{needs: needs}
}

// newSlots returns the slots of a pool, sorted by name. Those with an amount of zero are left out.
func newSlots(s Slots) []*slot {
	var slots []*slot
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if n := s[name]; n > 0 {
			slots = append(slots, &slot{name: name, total: n, free: n})
		}
	}
	return slots
}

// needsOf returns s in the form that calls have.
func (p *pool) needsOf(s Slots) ([]need, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var needs []need
	for _, name := range slices.Sorted(maps.Keys(s)) {
		n := s[name]
		if n == 0 {
			continue
		}
		i := slices.IndexFunc(p.slots, func(s *slot) bool { return s.name == name })
		if i < 0 || p.slots[i].total < n {
			return nil, fmt.Errorf("%w: wants %d of %q, there are %d", ErrSlots, n, name, p.c.Slots[name])
		}
		needs = append(needs, need{i, n})
	}
	return needs, nil
}

// availableLocked reports whether a call that does not wait yet may take what it needs.
func (p *pool) availableLocked(r *slotRequest) bool {
	for _, n := range r.needs {
		if s := p.slots[n.slot]; s.first != nil || s.free < n.amount {
			return false
		}
	}
	return true
}

// fitsLocked is availableLocked for a call that waits.
func (p *pool) fitsLocked(c *call) bool {
	for _, n := range c.slots.needs {
		if s := p.slots[n.slot]; s.first.call != c || s.free < n.amount {
			return false
		}
	}
	return true
}

// firstOfSlotsLocked returns the call in q that has waited longest: plain, which may be nil, or one
// that can have its slots.
func (p *pool) firstOfSlotsLocked(q *waitQueue, plain *call) *call {
	best := plain
	for i := range p.slots {
		first := p.slots[i].first
		if first == nil || first.call.queue != q || best != nil && best.number < first.call.number {
			continue
		}
		if p.fitsLocked(first.call) {
			best = first.call
		}
	}
	return best
}

// takeLocked takes what r needs, which must be free.
func (p *pool) takeLocked(r *slotRequest) {
	for _, n := range r.needs {
		s := p.slots[n.slot]
		if s.free < n.amount {
			panic("offload: BUG: a slot was given away twice")
		}
		s.free -= n.amount
	}
}

// putBackLocked gives back what r has taken.
func (p *pool) putBackLocked(r *slotRequest) {
	for _, n := range r.needs {
		s := p.slots[n.slot]
		if n.amount > s.total-s.free {
			panic("offload: BUG: a slot was given back twice")
		}
		s.free += n.amount
	}
	p.recheck = true
}

// claimLocked puts c at the end of the lists of the slots that it needs.
func (p *pool) claimLocked(c *call) {
	r := c.slots
	r.claims = make([]claim, len(r.needs))
	for i, n := range r.needs {
		s, e := p.slots[n.slot], &r.claims[i]
		e.call, e.prev = c, s.last
		if s.last == nil {
			s.first = e
		} else {
			s.last.next = e
		}
		s.last = e
	}
}

// unclaimLocked removes a call from the lists of its slots.
func (p *pool) unclaimLocked(r *slotRequest) {
	for i, n := range r.needs {
		s, e := p.slots[n.slot], &r.claims[i]
		if e.prev == nil {
			s.first = e.next
		} else {
			e.prev.next = e.next
		}
		if e.next == nil {
			s.last = e.prev
		} else {
			e.next.prev = e.prev
		}
		e.prev, e.next = nil, nil
	}
	p.recheck = true
}

// occupied returns how much of each slot is taken.
func (p *pool) occupied() Slots {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := make(Slots, len(p.slots))
	for i := range p.slots {
		s[p.slots[i].name] = p.slots[i].total - p.slots[i].free
	}
	return s
}
