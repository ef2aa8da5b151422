package stashtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/offload/stash"
)

func keysOfEveryKindWork(t *tester) {
	keys := []string{
		"a", "A", "0", "-", "/", "_", "=", "a.b", "a.b.c", "a/b", "/a/", "a-b_c=d", "_KV", "_k", "kv",
		strings.Repeat("k", stash.MaxKey), strings.Repeat("k.", stash.MaxKey/2-1) + "kk",
	}
	revisions := make(map[string]uint64)
	for _, key := range keys {
		revisions[key] = t.put(key, "value of "+key, 0)
	}
	for _, key := range keys {
		t.has(key, "value of "+key, revisions[key])
	}
	t.lists("", keys...)
	for _, key := range keys {
		t.check("Delete", t.s.Delete(t.ctx, key, revisions[key]))
		t.lacks(key)
	}
	t.lists("")
}

// lists fails the test unless the keys with this prefix are want.
func (t *tester) lists(prefix string, want ...string) {
	t.Helper()
	keys, more, err := t.s.Keys(t.ctx, prefix, 100)
	want = slices.Sorted(slices.Values(want))
	if err != nil || more || !slices.Equal(keys, want) {
		t.Fatalf("Keys(%q) returned %q, more %v, error %v, want %q", prefix, keys, more, err, want)
	}
}

func keysHasAPrefix(t *tester) {
	t.lists("")
	t.lists("a")
	for _, key := range []string{"job.1", "job.2", "jobs", "job/3", "token", "j"} {
		t.put(key, "", 0)
	}
	t.lists("", "j", "job.1", "job.2", "job/3", "jobs", "token")
	t.lists("j", "j", "job.1", "job.2", "job/3", "jobs")
	t.lists("job", "job.1", "job.2", "job/3", "jobs")
	t.lists("job.", "job.1", "job.2")
	t.lists("job.1", "job.1")
	t.lists("job.1.")
	t.lists("..")
	t.check("Delete", t.s.Delete(t.ctx, "job.1", 0))
	t.lists("job.", "job.2")
	t.put("job.2", "again", 0)
	t.lists("job.", "job.2")
}

func keysHasALimit(t *tester) {
	const n = 50
	all := make(map[string]bool)
	for i := range n {
		key := fmt.Sprintf("k.%02d", i)
		all[key] = true
		t.put(key, "", 0)
	}
	t.put("other", "", 0)
	for _, limit := range []int{1, 2, n - 1, n, n + 1, 1 << 30} {
		keys, more, err := t.s.Keys(t.ctx, "k.", limit)
		t.check("Keys", err)
		if len(keys) != min(limit, n) || more != (limit < n) {
			t.Fatalf("with limit %d of %d, Keys returned %d, more %v", limit, n, len(keys), more)
		}
		if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
			t.Fatalf("with limit %d, Keys returned %q, want each once, in order", limit, keys)
		}
		for _, key := range keys {
			if !all[key] {
				t.Fatalf("Keys returned %q, which has another prefix", key)
			}
		}
	}
}
