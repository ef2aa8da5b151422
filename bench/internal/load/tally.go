package load

import (
	"runtime"
	"sync"
	"time"
)

// A tally is a Result that several goroutines add to. A Result takes 200 KiB, so goroutines do not
// have their own.
type tally struct {
	mu     sync.Mutex
	result *Result
}

type tallies []*tally

// newTallies returns the tallies of n goroutines.
func newTallies(n int) tallies {
	all := make(tallies, min(n, 4*runtime.GOMAXPROCS(0)))
	for i := range all {
		all[i] = &tally{result: newResult()}
	}
	return all
}

// of returns the tally of a goroutine.
func (t tallies) of(i int) *tally { return t[i%len(t)] }

func (t tallies) results() (all []*Result) {
	for _, each := range t {
		all = append(all, each.result)
	}
	return all
}

func (t *tally) answer(latency time.Duration, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.answer(latency, n)
}

func (t *tally) error(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.result.error(err)
}
