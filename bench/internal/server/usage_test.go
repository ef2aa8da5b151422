package server

import "testing"

func TestParseGroup(t *testing.T) {
	for _, name := range []string{"(bench)", "(a b) c)", "())"} {
		if got, err := parseGroup([]byte("4711 " + name + " S 1 22 3 4 5\n")); got != 22 || err != nil {
			t.Errorf("%s: %v, %v, want 22", name, got, err)
		}
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 (x) S 1 x 3"} {
		if got, err := parseGroup([]byte(bad)); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tbench\nVmHWM:\t  9999 kB\nVmRSS:\t    1234 kB\nThreads:\t5\n"), "VmRSS")
	if got != 1234<<10 || err != nil {
		t.Errorf("%d, %v, want %d", got, err, 1234<<10)
	}
	for _, bad := range []string{"", "VmHWM: 1 kB\n", "VmRSS: 1 MB\n", "VmRSS: x kB\n"} {
		if got, err := parseStatus([]byte(bad), "VmRSS"); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}
