package stashtest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/offload/stash"
)

const (
	writers = 8
	rounds  = 25
)

// inParallel calls f in several goroutines, with their number. If one returns an error, the test
// fails.
func (t *tester) inParallel(f func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	t.check("a goroutine", errors.Join(errs...))
}

func oneOfManyCreates(t *tester) {
	for round := range rounds {
		key := fmt.Sprintf("k.%d", round)
		var winner atomic.Int64
		var revision atomic.Uint64
		var winners atomic.Int64
		t.inParallel(func(i int) error {
			r, err := t.s.Create(t.ctx, key, []byte(strconv.Itoa(i)), 0)
			switch {
			case errors.Is(err, stash.ErrConflict):
				return nil
			case err == nil:
				winners.Add(1)
				winner.Store(int64(i))
				revision.Store(r)
			}
			return err
		})
		if n := winners.Load(); n != 1 {
			t.Fatalf("%d of %d creations succeeded, want 1", n, writers)
		}
		t.has(key, strconv.Itoa(int(winner.Load())), revision.Load())
	}
}

func noUpdateIsLost(t *tester) {
	t.put("n", "0", 0)
	t.inParallel(func(int) error {
		for done := 0; done < rounds; {
			v, revision, err := t.s.Get(t.ctx, "n")
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return err
			}
			_, err = t.s.Update(t.ctx, "n", []byte(strconv.Itoa(n+1)), revision, 0)
			switch {
			case err == nil:
				done++
			case !errors.Is(err, stash.ErrConflict):
				return err
			}
		}
		return nil
	})
	v, _, err := t.s.Get(t.ctx, "n")
	t.check("Get", err)
	if want := strconv.Itoa(writers * rounds); string(v) != want {
		t.Fatalf("after %s updates, the counter is %s", want, v)
	}
}

// noModificationIsLost begins with modifications that all find no entry, and then has some that all
// find the same entry.
func noModificationIsLost(t *tester) {
	var all [rounds]sync.WaitGroup // those that have read the entry
	for i := range all {
		all[i].Add(writers)
	}
	t.inParallel(func(int) (err error) {
		for round := range all {
			meet := sync.OnceFunc(func() {
				all[round].Done()
				all[round].Wait()
			})
			if err == nil {
				_, err = stash.ModifyJSON(t.ctx, t.s, "n", 0, func(n int) (int, error) {
					meet()
					return n + 1, nil
				})
			}
			meet() // even after an error, because the others wait
		}
		return err
	})
	n, _, err := stash.GetJSON[int](t.ctx, t.s, "n")
	t.check("GetJSON", err)
	if n != writers*rounds {
		t.Fatalf("after %d modifications, the counter is %d", writers*rounds, n)
	}
}

// lockHasOneOwner tests that an entry which is created and deleted with its revision is a lock.
func lockHasOneOwner(t *tester) {
	var owners, most atomic.Int64
	t.inParallel(func(int) error {
		for held := 0; held < rounds; {
			revision, err := t.s.Create(t.ctx, "lock", nil, 0)
			if errors.Is(err, stash.ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
			if n := owners.Add(1); n > most.Load() {
				most.Store(n)
			}
			held++
			owners.Add(-1)
			if err := t.s.Delete(t.ctx, "lock", revision); err != nil {
				return err
			}
		}
		return nil
	})
	if n := most.Load(); n != 1 {
		t.Fatalf("the lock had %d owners at a time", n)
	}
}

// valueIsNeverTorn tests that a reader gets a value that was written as a whole, with its revision.
func valueIsNeverTorn(t *tester) {
	const size = 10_000
	var mu sync.Mutex
	written := make(map[uint64]byte) // the value of each revision, once its write has returned
	type read struct {
		revision uint64
		value    byte
	}
	var reads []read
	t.put("k", string(make([]byte, size)), 0)
	t.inParallel(func(i int) error {
		for range rounds {
			revision, err := t.s.Put(t.ctx, "k", bytes.Repeat([]byte{byte(i + 1)}, size), 0)
			if err != nil {
				return err
			}
			v, got, err := t.s.Get(t.ctx, "k")
			if err != nil {
				return err
			}
			if len(v) != size || !bytes.Equal(v, bytes.Repeat(v[:1], size)) {
				return errors.New("a value is torn")
			}
			if got < revision {
				return fmt.Errorf("read revision %d after writing %d", got, revision)
			}
			mu.Lock()
			written[revision] = byte(i + 1)
			reads = append(reads, read{got, v[0]})
			mu.Unlock()
		}
		return nil
	})
	for _, r := range reads {
		if v, ok := written[r.revision]; !ok || v != r.value {
			t.Fatalf("revision %d was read as %d and written as %d", r.revision, r.value, v)
		}
	}
}
