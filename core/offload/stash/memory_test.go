package stash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/stash/stashtest"
)

func newMemory(t testing.TB, c stash.Config) *stash.Memory {
	t.Helper()
	m, err := stash.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMemoryIsAStore(t *testing.T) {
	stashtest.Run(t, func(t testing.TB) stash.Store { return newMemory(t, stash.Config{}) })
}

func TestBadConfigNamesTheField(t *testing.T) {
	for _, c := range []stash.Config{{Entries: -1}, {Bytes: -1}} {
		_, err := stash.New(c)
		if err == nil || !strings.Contains(err.Error(), "-1") || !strings.Contains(err.Error(), "s is ") {
			t.Errorf("New(%+v): %v", c, err)
		}
	}
}

func TestEntriesAreLimited(t *testing.T) {
	ctx := context.Background()
	m := newMemory(t, stash.Config{Entries: 2})
	put := func(key string) error {
		_, err := m.Put(ctx, key, nil, 0)
		return err
	}
	if err := errors.Join(put("a"), put("b")); err != nil {
		t.Fatal(err)
	}
	err := put("c")
	if !errors.Is(err, stash.ErrFull) || !strings.Contains(err.Error(), "Entries is 2") {
		t.Fatalf("a third entry: %v", err)
	}
	if err := put("b"); err != nil {
		t.Fatalf("an entry that exists: %v", err)
	}
	if err := m.Delete(ctx, "a", 0); err != nil {
		t.Fatal(err)
	}
	if err := put("c"); err != nil {
		t.Fatalf("after a deletion: %v", err)
	}
	if s := m.Stats(); s.Entries != 2 || s.Refused != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestBytesAreLimited(t *testing.T) {
	ctx := context.Background()
	m := newMemory(t, stash.Config{Bytes: 128 + 1 + 100})
	put := func(n int) error {
		_, err := m.Put(ctx, "k", make([]byte, n), 0)
		return err
	}
	if err := put(50); err != nil {
		t.Fatal(err)
	}
	if err := put(100); err != nil {
		t.Fatalf("exactly as many as there may be: %v", err)
	}
	err := put(101)
	if !errors.Is(err, stash.ErrFull) || !strings.Contains(err.Error(), "Bytes is 229, of which 229 are in use, and k needs 1 more") {
		t.Fatalf("one too many: %v", err)
	}
	if v, _, err := m.Get(ctx, "k"); len(v) != 100 || err != nil {
		t.Fatalf("afterwards, the value has %d bytes, error %v", len(v), err)
	}
	if err := put(10); err != nil {
		t.Fatalf("a shorter value: %v", err)
	}
	if _, err := m.Create(ctx, "l", nil, 0); !errors.Is(err, stash.ErrFull) {
		t.Fatalf("an entry without a value: %v", err)
	}
	if s := m.Stats(); s.Bytes != 139 || s.Refused != 2 {
		t.Fatalf("%+v", s)
	}
}

func TestExpiredEntriesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		m := newMemory(t, stash.Config{Entries: 1})
		m.Put(ctx, "a", nil, 30*time.Second)
		time.Sleep(30*time.Second - 1)
		if _, err := m.Put(ctx, "b", nil, 0); !errors.Is(err, stash.ErrFull) {
			t.Fatalf("before the expiry: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := m.Put(ctx, "b", nil, 0); err != nil {
			t.Fatalf("after the expiry: %v", err)
		}
		if s := m.Stats(); s.Entries != 1 || s.Expired != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

// TestRandomOperationsMatchAModel compares a Memory with a map that is searched for what has
// expired.
func TestRandomOperationsMatchAModel(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { compareWithModel(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

type modelEntry struct {
	value    string
	revision uint64
	expires  time.Time
}

func compareWithModel(t *testing.T, rnd *rand.Rand) {
	ctx := context.Background()
	m := newMemory(t, stash.Config{Entries: 6, Bytes: 6 * 140})
	model := make(map[string]modelEntry)
	bytes := func(skip string) (n int) {
		for key, e := range model {
			if key != skip {
				n += 128 + len(key) + len(e.value)
			}
		}
		return n
	}
	last, expired := uint64(0), uint64(0)
	for range 300 {
		if rnd.IntN(3) == 0 {
			time.Sleep(time.Duration(rnd.IntN(3)) * time.Second)
		}
		for key, e := range model {
			if !e.expires.IsZero() && !time.Now().Before(e.expires) {
				delete(model, key)
				expired++
			}
		}
		key := fmt.Sprint("k", rnd.IntN(8))
		old, exists := model[key]
		revision := old.revision
		if rnd.IntN(4) == 0 {
			revision = rnd.Uint64N(last + 2)
		}
		value := strings.Repeat("v", rnd.IntN(20))
		ttl := time.Duration(rnd.IntN(4)) * time.Second
		matches := exists && old.revision == revision
		var got uint64
		var err, want error
		switch op := rnd.IntN(5); op {
		case 0, 1, 2:
			switch op {
			case 0:
				got, err = m.Put(ctx, key, []byte(value), ttl)
			case 1:
				got, err = m.Create(ctx, key, []byte(value), ttl)
				if exists {
					want = stash.ErrConflict
				}
			case 2:
				got, err = m.Update(ctx, key, []byte(value), revision, ttl)
				if !matches {
					want = stash.ErrConflict
				}
			}
			full := !exists && len(model) == 6 || bytes(key)+128+len(key)+len(value) > 6*140
			if want == nil && full && (!exists || len(value) > len(old.value)) {
				want = stash.ErrFull
			}
			if want == nil {
				e := modelEntry{value: value, revision: got}
				if ttl > 0 {
					e.expires = time.Now().Add(ttl)
				}
				model[key] = e
				if got <= last {
					t.Fatalf("revision %d after %d", got, last)
				}
				last = got
			}
		case 3:
			err = m.Delete(ctx, key, revision)
			if revision != 0 && !matches {
				want = stash.ErrConflict
			} else {
				delete(model, key)
			}
		case 4:
			var v []byte
			v, got, err = m.Get(ctx, key)
			if !exists {
				want = stash.ErrNotFound
			}
			if string(v) != old.value || got != old.revision {
				t.Fatalf("%s is %q, revision %d, want %+v", key, v, got, old)
			}
		}
		if !errors.Is(err, want) {
			t.Fatalf("error %v, want %v", err, want)
		}
		s := m.Stats()
		if s.Entries != len(model) || s.Bytes != int64(bytes("")) || s.Expired != expired {
			t.Fatalf("%+v, want %d entries, %d bytes, %d expired", s, len(model), bytes(""), expired)
		}
	}
}

// TestLongKeyDoesNotKeepWhatItIsPartOf writes keys that are substrings of large strings.
func TestLongKeyDoesNotKeepWhatItIsPartOf(t *testing.T) {
	ctx := context.Background()
	m := newMemory(t, stash.Config{})
	before := heapInUse()
	for i := range 64 {
		large := fmt.Sprintf("%03d", i) + strings.Repeat("x", 1<<20)
		if _, err := m.Put(ctx, large[:3], nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heapInUse() - before; grown > 16<<20 {
		t.Fatalf("64 entries take %d bytes", grown)
	}
	runtime.KeepAlive(m)
}

func heapInUse() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
