// Package stashtest tests implementations of [stash.Store].
//
//	func TestStore(t *testing.T) {
//		stashtest.Run(t, func(t testing.TB) stash.Store { return newStore(t) })
//	}
package stashtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

const (
	// patience is how long one test may take, and how long something may take that must happen.
	patience = time.Minute
	// ttl is the shortest time to live that every store can have exactly.
	ttl = time.Second
)

// Run tests the stores that open returns. Each must be empty and used by nobody else, and have room
// for 1,000 entries and 4 MiB. open is called once for each test, on its goroutine; it may use
// t.Cleanup and t.Skip. The tests run in parallel, some for more than a second because they wait
// for entries to expire.
func Run(t *testing.T, open func(t testing.TB) stash.Store) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			test.run(&tester{T: t, ctx: ctx, s: open(t)})
		})
	}
}

var tests = []struct {
	name string
	run  func(t *tester)
}{
	{"AWriteIsReadBack", writeIsReadBack},
	{"AnEmptyValueIsAValue", emptyValueIsAValue},
	{"BytesOfAnyKindAreKept", bytesOfAnyKindAreKept},
	{"ALargeValueIsKept", largeValueIsKept},
	{"ValuesAreCopied", valuesAreCopied},
	{"AMissingEntryIsNotFound", missingEntryIsNotFound},
	{"RevisionsGrow", revisionsGrow},
	{"RevisionsGrowAcrossDeletion", revisionsGrowAcrossDeletion},
	{"CreateNeedsAbsence", createNeedsAbsence},
	{"UpdateNeedsTheRevision", updateNeedsTheRevision},
	{"DeleteDeletes", deleteDeletes},
	{"DeleteMayNeedARevision", deleteMayNeedARevision},
	{"AFailedWriteChangesNothing", failedWriteChangesNothing},
	{"InvalidArgumentsAreRefused", invalidArgumentsAreRefused},
	{"KeysOfEveryKindWork", keysOfEveryKindWork},
	{"KeysHasAPrefix", keysHasAPrefix},
	{"KeysHasALimit", keysHasALimit},
	{"AnEntryExpires", entryExpires},
	{"AnEntryMayBeCreatedOnceItHasExpired", createdOnceItHasExpired},
	{"AnExpiredEntryHasNoRevision", expiredEntryHasNoRevision},
	{"AWriteEndsTheTimeToLive", writeEndsTheTimeToLive},
	{"AWriteSetsTheTimeToLive", writeSetsTheTimeToLive},
	{"ALongTimeToLiveIsLong", longTimeToLiveIsLong},
	{"AnEndedContextIsAnError", endedContextIsAnError},
	{"OneOfManyCreates", oneOfManyCreates},
	{"NoUpdateIsLost", noUpdateIsLost},
	{"NoModificationIsLost", noModificationIsLost},
	{"ALockHasOneOwner", lockHasOneOwner},
	{"AValueIsNeverTorn", valueIsNeverTorn},
	{"ATypedValueIsReadBack", typedValueIsReadBack},
}

// A tester is a test of one store.
type tester struct {
	*testing.T
	ctx context.Context
	s   stash.Store
}

// put writes an entry and returns its revision.
func (t *tester) put(key, value string, ttl time.Duration) uint64 {
	t.Helper()
	revision, err := t.s.Put(t.ctx, key, []byte(value), ttl)
	t.check("Put", err)
	return revision
}

// has fails the test unless key's entry has this value and revision.
func (t *tester) has(key, value string, revision uint64) {
	t.Helper()
	v, r, err := t.s.Get(t.ctx, key)
	if err != nil || string(v) != value || r != revision {
		t.Fatalf("%s is %.40q, revision %d, error %v, want %.40q, %d", key, v, r, err, value, revision)
	}
}

// lacks fails the test if key has an entry.
func (t *tester) lacks(key string) {
	t.Helper()
	v, r, err := t.s.Get(t.ctx, key)
	if !errors.Is(err, stash.ErrNotFound) || v != nil || r != 0 {
		t.Fatalf("Get returned %.40q, revision %d, error %v, want nil, 0, ErrNotFound", v, r, err)
	}
}

func (t *tester) check(what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wants fails the test unless err matches target.
func (t *tester) wants(what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", what, err, target)
	}
}

// expires waits until key has no entry, and fails the test if it was missing before ttl had passed
// since begun.
func (t *tester) expires(key string, begun time.Time, ttl time.Duration) {
	t.Helper()
	for {
		_, _, err := t.s.Get(t.ctx, key)
		passed := time.Since(begun)
		switch {
		case err == nil && passed < patience/2:
			time.Sleep(20 * time.Millisecond)
			continue
		case err == nil:
			t.Fatalf("after %v, an entry with a ttl of %v still exists", passed, ttl)
		case !errors.Is(err, stash.ErrNotFound):
			t.Fatal(err)
		case passed < ttl:
			t.Fatalf("an entry with a ttl of %v was missing after %v", ttl, passed)
		}
		return
	}
}
