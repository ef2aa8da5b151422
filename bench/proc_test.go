package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 120 45 0 0 20 0 5 0 1000\n"
	for _, name := range []string{"(bench)", "(a b) c)", "())"} {
		got, err := parseStat([]byte("4711 " + name + rest))
		if got != 1650*time.Millisecond || err != nil {
			t.Errorf("%s: %v, %v, want 1.65s", name, got, err)
		}
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x 45 0"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}

func TestParseRSS(t *testing.T) {
	got, err := parseRSS([]byte("Name:\tbench\nVmHWM:\t  9999 kB\nVmRSS:\t    1234 kB\nThreads:\t5\n"))
	if got != 1234<<10 || err != nil {
		t.Errorf("%d, %v, want %d", got, err, 1234<<10)
	}
	for _, bad := range []string{"", "VmHWM: 1 kB\n", "VmRSS: 1 MB\n", "VmRSS: x kB\n"} {
		if got, err := parseRSS([]byte(bad)); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}
