package stashtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

func writeIsReadBack(t *tester) {
	first := t.put("job.17", "one", 0)
	t.has("job.17", "one", first)
	second := t.put("job.17", "two", 0)
	t.has("job.17", "two", second)
	other := t.put("job.18", "three", 0)
	t.has("job.18", "three", other)
	t.has("job.17", "two", second)
}

func emptyValueIsAValue(t *tester) {
	for _, value := range [][]byte{nil, {}} {
		revision, err := t.s.Put(t.ctx, "k", value, 0)
		t.check("Put", err)
		t.has("k", "", revision)
	}
	_, err := t.s.Create(t.ctx, "k", nil, 0)
	t.wants("Create", err, stash.ErrConflict)
}

func bytesOfAnyKindAreKept(t *tester) {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	t.has("k", string(all), t.put("k", string(all), 0))
}

func largeValueIsKept(t *tester) {
	value := make([]byte, stash.MaxValue)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	t.has("k", string(value), t.put("k", string(value), 0))
	_, err := t.s.Put(t.ctx, "k", append(value, 0), 0)
	t.wants("Put of more than MaxValue", err, stash.ErrInvalid)
}

func valuesAreCopied(t *tester) {
	value := []byte("value")
	revision, err := t.s.Put(t.ctx, "k", value, 0)
	t.check("Put", err)
	copy(value, "XXXXX")
	got, _, err := t.s.Get(t.ctx, "k")
	t.check("Get", err)
	copy(got, "XXXXX")
	t.has("k", "value", revision)
}

func missingEntryIsNotFound(t *tester) {
	t.lacks("k")
	t.put("k.1", "", 0)
	t.lacks("k")
}

func revisionsGrow(t *tester) {
	last := uint64(0)
	for i := range 20 {
		revision := t.put(fmt.Sprintf("k%d", i%3), "", 0)
		if revision <= last {
			t.Fatalf("a write got revision %d after %d", revision, last)
		}
		last = revision
	}
	revision, err := t.s.Update(t.ctx, "k1", nil, last, 0)
	t.check("Update", err)
	if revision <= last {
		t.Fatalf("an update got revision %d after %d", revision, last)
	}
	last = revision
	revision, err = t.s.Create(t.ctx, "other", nil, 0)
	t.check("Create", err)
	if revision <= last {
		t.Fatalf("a creation got revision %d after %d", revision, last)
	}
}

func revisionsGrowAcrossDeletion(t *tester) {
	old := t.put("k", "old", 0)
	t.check("Delete", t.s.Delete(t.ctx, "k", 0))
	revision, err := t.s.Create(t.ctx, "k", []byte("new"), 0)
	t.check("Create", err)
	if revision <= old {
		t.Fatalf("the new entry has revision %d, the old one had %d", revision, old)
	}
	_, err = t.s.Update(t.ctx, "k", nil, old, 0)
	t.wants("Update with the revision of a deleted entry", err, stash.ErrConflict)
	t.wants("Delete with it", t.s.Delete(t.ctx, "k", old), stash.ErrConflict)
	t.has("k", "new", revision)
}

func createNeedsAbsence(t *tester) {
	revision, err := t.s.Create(t.ctx, "k", []byte("first"), 0)
	t.check("Create", err)
	t.has("k", "first", revision)
	_, err = t.s.Create(t.ctx, "k", []byte("second"), 0)
	t.wants("Create of what exists", err, stash.ErrConflict)
	t.has("k", "first", revision)
	t.check("Delete", t.s.Delete(t.ctx, "k", 0))
	revision, err = t.s.Create(t.ctx, "k", []byte("third"), 0)
	t.check("Create after Delete", err)
	t.has("k", "third", revision)
}

func updateNeedsTheRevision(t *tester) {
	_, err := t.s.Update(t.ctx, "k", nil, 1, 0)
	t.wants("Update of what does not exist", err, stash.ErrConflict)
	_, err = t.s.Update(t.ctx, "k", nil, 0, 0)
	t.wants("Update of what does not exist, revision 0", err, stash.ErrConflict)
	t.lacks("k")
	first := t.put("k", "first", 0)
	for _, last := range []uint64{0, first - 1, first + 1, 1 << 62} {
		_, err = t.s.Update(t.ctx, "k", []byte("wrong"), last, 0)
		t.wants(fmt.Sprintf("Update of revision %d with %d", first, last), err, stash.ErrConflict)
	}
	t.has("k", "first", first)
	second, err := t.s.Update(t.ctx, "k", []byte("second"), first, 0)
	t.check("Update", err)
	t.has("k", "second", second)
	_, err = t.s.Update(t.ctx, "k", []byte("wrong"), first, 0)
	t.wants("Update again", err, stash.ErrConflict)
	t.check("Delete", t.s.Delete(t.ctx, "k", 0))
	_, err = t.s.Update(t.ctx, "k", []byte("wrong"), second, 0)
	t.wants("Update after Delete", err, stash.ErrConflict)
	t.lacks("k")
}

func deleteDeletes(t *tester) {
	t.check("Delete of what does not exist", t.s.Delete(t.ctx, "k", 0))
	t.put("k", "value", 0)
	other := t.put("other", "value", 0)
	t.check("Delete", t.s.Delete(t.ctx, "k", 0))
	t.lacks("k")
	t.check("Delete again", t.s.Delete(t.ctx, "k", 0))
	t.has("other", "value", other)
	t.has("k", "new", t.put("k", "new", 0))
}

func deleteMayNeedARevision(t *tester) {
	t.wants("Delete of what does not exist", t.s.Delete(t.ctx, "k", 1), stash.ErrConflict)
	first := t.put("k", "first", 0)
	second := t.put("k", "second", 0)
	t.wants("Delete with an old revision", t.s.Delete(t.ctx, "k", first), stash.ErrConflict)
	t.wants("Delete with a future one", t.s.Delete(t.ctx, "k", second+1), stash.ErrConflict)
	t.has("k", "second", second)
	t.check("Delete", t.s.Delete(t.ctx, "k", second))
	t.lacks("k")
	t.wants("Delete again", t.s.Delete(t.ctx, "k", second), stash.ErrConflict)
}

// failedWriteChangesNothing tests that a write with a conflict does not change the time to live
// either.
func failedWriteChangesNothing(t *tester) {
	revision := t.put("k", "value", 0)
	_, err := t.s.Create(t.ctx, "k", nil, ttl)
	t.wants("Create", err, stash.ErrConflict)
	_, err = t.s.Update(t.ctx, "k", nil, revision+1, ttl)
	t.wants("Update", err, stash.ErrConflict)
	begun := time.Now()
	t.put("clock", "", ttl)
	t.expires("clock", begun, ttl)
	t.has("k", "value", revision)
}

func invalidArgumentsAreRefused(t *tester) {
	bad := []string{
		"", ".", ".a", "a.", "a..b", "a b", "a*", ">", "a>", "ä", "a\x00", "a\n", "a:b", `a\b`, "_kv", "_kv.a",
		strings.Repeat("k", stash.MaxKey+1), "a\xff",
	}
	for _, key := range bad {
		_, _, err := t.s.Get(t.ctx, key)
		t.wants(fmt.Sprintf("Get(%.20q)", key), err, stash.ErrInvalid)
		_, err = t.s.Put(t.ctx, key, nil, 0)
		t.wants(fmt.Sprintf("Put(%.20q)", key), err, stash.ErrInvalid)
		_, err = t.s.Create(t.ctx, key, nil, 0)
		t.wants(fmt.Sprintf("Create(%.20q)", key), err, stash.ErrInvalid)
		_, err = t.s.Update(t.ctx, key, nil, 1, 0)
		t.wants(fmt.Sprintf("Update(%.20q)", key), err, stash.ErrInvalid)
		t.wants(fmt.Sprintf("Delete(%.20q)", key), t.s.Delete(t.ctx, key, 0), stash.ErrInvalid)
	}
	for _, prefix := range []string{"*", "a>", "a b", "\n", strings.Repeat("k", stash.MaxKey+1)} {
		_, _, err := t.s.Keys(t.ctx, prefix, 1)
		t.wants(fmt.Sprintf("Keys(%.20q)", prefix), err, stash.ErrInvalid)
	}
	for _, limit := range []int{0, -1} {
		_, _, err := t.s.Keys(t.ctx, "", limit)
		t.wants(fmt.Sprintf("Keys with limit %d", limit), err, stash.ErrInvalid)
	}
	large := make([]byte, stash.MaxValue+1)
	revision := t.put("k", "value", 0)
	for _, ttl := range []time.Duration{-1, -time.Hour} {
		_, err := t.s.Put(t.ctx, "k", nil, ttl)
		t.wants("Put with a negative ttl", err, stash.ErrInvalid)
		_, err = t.s.Create(t.ctx, "new", nil, ttl)
		t.wants("Create with a negative ttl", err, stash.ErrInvalid)
		_, err = t.s.Update(t.ctx, "k", nil, revision, ttl)
		t.wants("Update with a negative ttl", err, stash.ErrInvalid)
	}
	_, err := t.s.Create(t.ctx, "new", large, 0)
	t.wants("Create of a large value", err, stash.ErrInvalid)
	_, err = t.s.Update(t.ctx, "k", large, revision, 0)
	t.wants("Update to a large value", err, stash.ErrInvalid)
	t.has("k", "value", revision)
	t.lacks("new")
}

func endedContextIsAnError(t *tester) {
	revision := t.put("k", "value", 0)
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	_, _, err := t.s.Get(ctx, "k")
	t.wants("Get", err, context.Canceled)
	_, err = t.s.Put(ctx, "k", nil, 0)
	t.wants("Put", err, context.Canceled)
	_, err = t.s.Create(ctx, "new", nil, 0)
	t.wants("Create", err, context.Canceled)
	_, err = t.s.Update(ctx, "k", nil, revision, 0)
	t.wants("Update", err, context.Canceled)
	t.wants("Delete", t.s.Delete(ctx, "k", 0), context.Canceled)
	_, _, err = t.s.Keys(ctx, "", 1)
	t.wants("Keys", err, context.Canceled)
	t.has("k", "value", revision)
	t.lacks("new")
}

func typedValueIsReadBack(t *tester) {
	type job struct {
		Name  string
		Parts []int
	}
	want := job{"resize", []int{1, 2, 3}}
	put, err := stash.PutJSON(t.ctx, t.s, "k", want, 0)
	t.check("PutJSON", err)
	got, revision, err := stash.GetJSON[job](t.ctx, t.s, "k")
	t.check("GetJSON", err)
	if fmt.Sprint(got) != fmt.Sprint(want) || revision != put {
		t.Fatalf("GetJSON returned %v, revision %d, want %v, %d", got, revision, want, put)
	}
	_, _, err = stash.GetJSON[job](t.ctx, t.s, "missing")
	t.wants("GetJSON of what does not exist", err, stash.ErrNotFound)
	before, _, err := t.s.Get(t.ctx, "k")
	t.check("Get", err)
	t.put("text", "no JSON", 0)
	if _, _, err := stash.GetJSON[job](t.ctx, t.s, "text"); err == nil {
		t.Fatal("GetJSON read what is not JSON")
	}
	failed := fmt.Errorf("failed")
	_, err = stash.ModifyJSON(t.ctx, t.s, "k", 0, func(j job) (job, error) { return job{}, failed })
	t.wants("ModifyJSON", err, failed)
	if after, _, err := t.s.Get(t.ctx, "k"); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the value is %q, error %v, want %q", after, err, before)
	}
}
