package server

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

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

// wantUsage checks that the CPU time grows when p has work, and that the memory is not zero.
func wantUsage(t *testing.T, p *Process) {
	c := dial(t, p)
	before, err := p.CPU()
	if errors.Is(err, ErrUnknown) && runtime.GOOS != "linux" {
		return
	}
	for range 50 {
		c.get(t, "/yo", "")
	}
	after, err2 := p.CPU()
	if err != nil || err2 != nil || before <= 0 || after <= before {
		t.Errorf("CPU is %v, %v, and %v, %v after 50 requests", before, err, after, err2)
	}
	if runtime.GOOS != "linux" {
		return
	}
	for name, f := range map[string]func() (int64, error){"RSS": p.RSS, "PeakRSS": p.PeakRSS} {
		if n, err := f(); n < 1<<20 || err != nil {
			t.Errorf("%s is %d, %v, want a MiB or more", name, n, err)
		}
	}
}

func TestWorkTakesProcessorTime(t *testing.T) {
	p := start(t, Spec{Server: "net/http"})
	cpu := func() time.Duration {
		d, err := p.CPU()
		if err != nil {
			t.Skip(err)
		}
		return d
	}
	before := cpu()
	dial(t, p).get(t, "/work/100", "")
	// It takes less if the processor was slow during calibration.
	if d := cpu() - before; d < 10*time.Millisecond {
		t.Errorf("100 ms of work took %v", d)
	}
}

func TestCPUAsTheProcessSays(t *testing.T) {
	p := start(t, Spec{Server: "floor"})
	for range 2 {
		d, err := p.reportedCPU()
		if d <= 0 && !errors.Is(err, ErrUnknown) || err != nil && runtime.GOOS == "linux" {
			t.Errorf("CPU is %v, %v", d, err)
		}
	}
	if d, err := (&Process{spec: Spec{Server: "nginx"}}).reportedCPU(); err != ErrUnknown {
		t.Errorf("of a process that does not say: %v, %v, want ErrUnknown", d, err)
	}
}
