package jobs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
)

// judge reads the ledgers, checks the history, and reports what it shows.
func (t *trial) judge(r *harness.Report) {
	h := &t.history
	h.End = time.Now()
	var err error
	h.Executions, err = history.ReadLedgers(filepath.Join(t.dir, "ledgers", "*"))
	r.Fail(err)
	refused := 0
	h.Effects, refused, err = readEffects(filepath.Join(t.dir, "effects"))
	r.Fail(err)
	v := h.Check()
	faults := map[history.Kind]int{}
	for _, f := range h.Faults {
		faults[f.Kind]++
	}
	r.Line("faults: %s", counts(faults))
	r.Line("enqueued: %d tasks were accepted; %d attempts: %d refused with 503, %d without a response, %d of a key that was accepted already", v.Accepted, v.Attempts, v.Refused, v.Unanswered, v.Suppressed)
	r.Line("executed: %d times, %d of them interrupted", v.Executions, v.Cut)
	r.Line("executed again, with a key: %s", counts(v.RepeatedKeyed))
	r.Line("executed again, without one: %s", counts(v.RepeatedOther))
	r.Line("given up after too many attempts, and enqueued again by hand: %d", t.revived)
	r.Line("effects guarded by a key: %d, each once; %d further ones were refused", v.Effects, refused)
	r.Line("calls: %s; %d of idempotent tasks were executed again", counts(v.Calls), v.Retried)
	r.Check(len(v.Wrong) == 0, "%d promises were broken", len(v.Wrong))
	slices.Sort(v.Wrong) // the worst ones begin with upper case
	for _, s := range v.Wrong[:min(len(v.Wrong), 50)] {
		r.Line("  %s", s)
	}
	r.Check(t.crashes == 0, "%d processes ended by themselves", t.crashes)
	for _, s := range t.notes[:min(len(t.notes), 50)] {
		r.Line("  %s", s)
	}
}

// counts returns the counts in m as text.
func counts[K ~string](m map[K]int) string {
	if len(m) == 0 {
		return "none"
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(all, ", ")
}

// refusedSuffix ends the names of files with a byte for each effect that a key has prevented.
const refusedSuffix = ".refused"

// takeEffect does what a task does to the world. It stands for a row in a database whose key is
// unique: it takes place once for each key, however often it is tried.
func takeEffect(dir, key string) error {
	file := filepath.Join(dir, key)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err == nil {
		return f.Close()
	}
	if !os.IsExist(err) {
		return err
	}
	f, err = os.OpenFile(file+refusedSuffix, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{'x'})
	f.Close()
	return err
}

// readEffects returns the effects by key, and how many were refused.
func readEffects(dir string) (effects map[string]int, refused int, err error) {
	files, err := os.ReadDir(dir)
	effects = map[string]int{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), refusedSuffix) {
			effects[f.Name()]++
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, 0, err
		}
		refused += int(info.Size())
	}
	return effects, refused, err
}
