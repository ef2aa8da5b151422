package soak

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// errWrong is the error for a response, or a part of one, that does not belong to its request.
var errWrong = errors.New("an answer to another request")

// A tally has what the clients have found.
type tally struct {
	mu      sync.Mutex // guards following
	checked int64      // complete responses
	cut     int64      // responses that were expected to be cut off or missing, and were
	wrong   int64
	hung    int64
	lost    int64
	acts    map[string]int64
	first   []error // some of the errors
}

// act counts an act, and its error if there is one.
func (t *tally) act(name string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.acts == nil {
		t.acts = map[string]int64{}
	}
	t.acts[name]++
	switch {
	case err == nil:
		return
	case errors.Is(err, errWrong):
		t.wrong++
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.hung++
	default:
		t.lost++
	}
	if len(t.first) < 5 {
		t.first = append(t.first, fmt.Errorf("%s: %w", name, err))
	}
}

func (t *tally) answers(whole, cut int64) {
	t.mu.Lock()
	t.checked += whole
	t.cut += cut
	t.mu.Unlock()
}

// close reports the figures, with an error if anything was wrong.
func (t *tally) close(r *harness.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Line("answers      %d checked, %d mismatches, %d lost, %d hung; %d more were cut off, as they had to be", t.checked, t.wrong, t.lost, t.hung, t.cut)
	for _, err := range t.first {
		r.Line("  %v", err)
	}
	if t.wrong+t.lost+t.hung > 0 {
		r.Fail(fmt.Errorf("%w: %d mismatches, %d answers lost, %d hung, the first: %w", errBalance, t.wrong, t.lost, t.hung, t.first[0]))
	}
}

// list reports how often each act was done.
func (t *tally) list(r *harness.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all int64
	text := ""
	for _, name := range slices.Sorted(maps.Keys(t.acts)) {
		all += t.acts[name]
		text += fmt.Sprintf(" %s %d", name, t.acts[name])
	}
	r.Line("acts         %d:%s", all, text)
}
