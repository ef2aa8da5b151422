// Package permits divides a number of permits among shares, so that shards that take and return
// them all the time do not write the same memory.
//
// A [Share] keeps the permits that are returned to it. It takes permits from the other shares only
// when it has none left. So each share soon holds as many permits as its user needs at a peak, and
// from then on its user writes the share's memory only, until nearly all permits are in use.
//
// The number of permits is exact at any time: a permit is taken from one share before it is used,
// and returned to one afterwards. Free permits never move from share to share. So a user need not
// miss a permit: one that finds none first makes known that it waits, and looks for a permit again;
// one that returns a permit calls Put, and looks for waiting users afterwards. One of the two sees
// the other.
//
// A user that does not wait for permits may overdraw the Set: then more permits are in use than
// there are, and the next ones that are returned make up for that.
package permits

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A Set is a number of permits. Its methods may be called from several goroutines at once. Use
// [New] to create one. A Set must not be copied.
type Set struct {
	shares atomic.Pointer[[]*Share] // the first has no user, and all permits at first
	debt   atomic.Int64             // how many more permits are in use than there are

	mu    sync.Mutex // guards the following, and changes of shares
	spare []*Share   // of shares, those that nobody uses
}

// A Share holds free permits of a Set. Its methods may be called from several goroutines at
// once, also after the Share was given back.
type Share struct {
	set *Set

	_    [64]byte // free has a cache line of its own
	free atomic.Int64
	_    [64]byte
}

// New returns a Set of n permits.
func New(n int64) *Set {
	s := new(Set)
	rest := &Share{set: s}
	rest.free.Store(n)
	s.shares.Store(&[]*Share{rest})
	return s
}

// Share returns a Share for a new user. It holds no permits, or those that a former user has left.
func (s *Set) Share() *Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.spare); n > 0 {
		x := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return x
	}
	x := &Share{set: s}
	shares := append(slices.Clone(*s.shares.Load()), x)
	s.shares.Store(&shares)
	return x
}

// Free returns the number of free permits. It reads one share after another: a permit that is
// taken and returned meanwhile may count twice, or not at all.
func (s *Set) Free() (n int64) {
	for _, x := range *s.shares.Load() {
		n += min(x.free.Load(), math.MaxInt64-n)
	}
	return n
}

// GiveBack gives x to the next caller of Set.Share; a second call does nothing. Permits that x
// holds, or that are returned to it later, remain available to the other shares.
func (x *Share) GiveBack() {
	x.set.mu.Lock()
	defer x.set.mu.Unlock()
	if !slices.Contains(x.set.spare, x) {
		x.set.spare = append(x.set.spare, x)
	}
}

// Take takes up to n permits, and returns how many it has taken: fewer than n if all others are in
// use.
func (x *Share) Take(n int64) (taken int64) {
	if taken = x.take(n); taken == n {
		return taken
	}
	for _, other := range *x.set.shares.Load() {
		if taken == n {
			break
		}
		taken += other.take(n - taken)
	}
	return taken
}

// take is Take from x only.
func (x *Share) take(n int64) int64 {
	for {
		free := x.free.Load()
		n := min(n, free)
		if n == 0 || x.free.CompareAndSwap(free, free-n) {
			return n
		}
	}
}

// Put returns n permits to x, of which some pay off what the Set owes.
func (x *Share) Put(n int64) {
	for n > 0 && x.Repay() {
		n--
	}
	if n > 0 {
		x.free.Add(n)
		x.settle()
	}
}

// Overdraw takes n permits. From now on the Set owes those of them for which there was no free one.
// Overdraw returns the debt, or zero if there were n free ones. Like one that calls Put, the caller
// must look for waiting users afterwards: see settle.
func (x *Share) Overdraw(n int64) (debt int64) {
	rest := n - x.Take(n)
	if rest == 0 {
		return 0
	}
	debt = x.set.debt.Add(rest)
	x.settle()
	return min(debt, x.set.debt.Load())
}

// Repay returns a permit if the Set owes one, and reports whether it did.
func (x *Share) Repay() bool {
	for {
		debt := x.set.debt.Load()
		if debt == 0 {
			return false
		}
		if x.set.debt.CompareAndSwap(debt, debt-1) {
			return true
		}
	}
}

// settle pays off what the Set owes with free permits. It is called after a permit has become free,
// and after the Set owes one: the later of the two calls sees what the other caller has done.
// Meanwhile another user may miss the permit that settle holds for a moment and perhaps returns.
func (x *Share) settle() {
	for x.set.debt.Load() > 0 && x.Take(1) == 1 {
		if !x.Repay() {
			x.free.Add(1)
		}
	}
}

// Debt returns how many more permits are in use than there are. While it is positive, there is no
// free permit, except for a moment.
func (s *Set) Debt() int64 { return s.debt.Load() }

// Owing reports whether the Set of x owes permits.
func (x *Share) Owing() bool { return x.set.debt.Load() > 0 }

// Available reports whether x or another share holds a free permit.
func (x *Share) Available() bool { return x.free.Load() > 0 || x.set.Free() > 0 }
