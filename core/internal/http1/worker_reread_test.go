package http1

import "testing"

func TestRereaderReadsAsOftenAsItPays(t *testing.T) {
	for _, tt := range []struct {
		name     string
		every    int // each every-th read finds something; zero: none does
		min, max int // reads at 1,600 opportunities
	}{
		{"nothing is ever there", 0, 100, 100},
		{"the next request is always there", 1, 1584, 1600},
		{"at every third read", 3, 1500, 1600},
		{"at every eighth read", 8, 100, 400},
	} {
		var r rereader
		reads := 0
		for range 1600 {
			if r.due() {
				reads++
				r.done(tt.every > 0 && reads%tt.every == 0)
			}
		}
		if reads < tt.min || reads > tt.max {
			t.Errorf("%s: %d reads at 1600 opportunities, want %d to %d", tt.name, reads, tt.min, tt.max)
		}
	}
}

func TestRereaderStopsSoonAfterALoadChanges(t *testing.T) {
	var r rereader
	for range 100 {
		if r.due() {
			r.done(true)
		}
	}
	reads := 0
	for range 100 {
		if r.due() {
			reads++
			r.done(false)
		}
	}
	if want := rereadMaxCredit + 100/rereadEvery; reads > want {
		t.Errorf("%d reads in vain at 100 opportunities, want %d at most", reads, want)
	}
}
