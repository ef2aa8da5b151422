package stashtest

import (
	"math"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

func entryExpires(t *tester) {
	stays := t.put("stays", "value", 0)
	begun := time.Now()
	t.put("put", "value", ttl)
	_, err := t.s.Create(t.ctx, "created", []byte("value"), ttl)
	t.check("Create", err)
	_, err = t.s.Update(t.ctx, "updated", []byte("value"), t.put("updated", "old", 0), ttl)
	t.check("Update", err)
	for _, key := range []string{"put", "created", "updated"} {
		t.expires(key, begun, ttl)
		t.lacks(key)
	}
	t.has("stays", "value", stays)
	t.lists("", "stays")
}

func createdOnceItHasExpired(t *tester) {
	begun := time.Now()
	old, err := t.s.Create(t.ctx, "lock", []byte("first"), ttl)
	t.check("Create", err)
	t.expires("lock", begun, ttl)
	revision, err := t.s.Create(t.ctx, "lock", []byte("second"), 0)
	t.check("Create of what has expired", err)
	if revision <= old {
		t.Fatalf("the new entry has revision %d, the expired one had %d", revision, old)
	}
	t.has("lock", "second", revision)
	t.wants("Delete by the former owner", t.s.Delete(t.ctx, "lock", old), stash.ErrConflict)
	t.has("lock", "second", revision)
}

func expiredEntryHasNoRevision(t *tester) {
	begun := time.Now()
	revision := t.put("k", "value", ttl)
	t.expires("k", begun, ttl)
	_, err := t.s.Update(t.ctx, "k", nil, revision, 0)
	t.wants("Update", err, stash.ErrConflict)
	t.wants("Delete with the revision", t.s.Delete(t.ctx, "k", revision), stash.ErrConflict)
	t.check("Delete", t.s.Delete(t.ctx, "k", 0))
	t.lacks("k")
}

// writeEndsTheTimeToLive tests that an entry stays after a write without a time to live.
func writeEndsTheTimeToLive(t *tester) {
	t.put("put", "old", ttl)
	put := t.put("put", "value", 0)
	updated, err := t.s.Update(t.ctx, "updated", []byte("value"), t.put("updated", "old", ttl), 0)
	t.check("Update", err)
	t.put("created", "old", ttl)
	t.check("Delete", t.s.Delete(t.ctx, "created", 0))
	created, err := t.s.Create(t.ctx, "created", []byte("value"), 0)
	t.check("Create", err)

	begun := time.Now()
	t.put("clock", "", ttl)
	t.expires("clock", begun, ttl)
	t.has("put", "value", put)
	t.has("updated", "value", updated)
	t.has("created", "value", created)
}

// writeSetsTheTimeToLive tests that a write may prolong the life of an entry, and shorten it.
func writeSetsTheTimeToLive(t *tester) {
	t.put("longer", "old", ttl)
	longer := t.put("longer", "value", time.Hour)
	t.put("shorter", "old", time.Hour)
	begun := time.Now()
	t.put("shorter", "value", ttl)
	t.expires("shorter", begun, ttl)
	t.has("longer", "value", longer)
}

func longTimeToLiveIsLong(t *tester) {
	for _, ttl := range []time.Duration{24 * time.Hour, 10 * 365 * 24 * time.Hour, math.MaxInt64} {
		revision := t.put("k", "value", ttl)
		t.has("k", "value", revision)
		revision, err := t.s.Update(t.ctx, "k", []byte("again"), revision, ttl)
		t.check("Update", err)
		t.has("k", "again", revision)
	}
}
