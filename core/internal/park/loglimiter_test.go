package park

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A lineLog is a log that keeps its lines.
type lineLog struct {
	mu    sync.Mutex // guards following
	lines []string
}

func (l *lineLog) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// take returns the lines since the last call.
func (l *lineLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func TestLogLimiterSuppressesAndSaysHowMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l LogLimiter
		log := new(lineLog)
		flood := func(n int) {
			for i := range n {
				l.Printf(log.printf, "kind", " %d", i)
			}
		}
		flood(limitLines + 23)
		if lines := log.take(); len(lines) != limitLines || lines[0] != "kind 0" {
			t.Fatalf("%d lines are logged, the first is %q", len(lines), lines[:1])
		}
		time.Sleep(limitPeriod - time.Nanosecond)
		flood(1)
		synctest.Wait()
		if lines := log.take(); lines != nil {
			t.Errorf("logged before the period is over: %q", lines)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if lines := log.take(); !slices.Equal(lines, []string{"kind: suppressed 24 more lines of this kind"}) {
			t.Errorf("logged at the end of the period: %q", lines)
		}
		flood(limitLines)
		if lines := log.take(); len(lines) != limitLines {
			t.Errorf("%d lines are logged in the next period", len(lines))
		}
		time.Sleep(limitPeriod)
		synctest.Wait()
		if lines := log.take(); lines != nil {
			t.Errorf("logged without a suppressed line: %q", lines)
		}
		flood(1)
		if lines := log.take(); len(lines) != 1 {
			t.Errorf("logged later: %q", lines)
		}
	})
}

func TestLogLimiterFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l LogLimiter
		log := new(lineLog)
		l.Flush()
		for range limitLines + 5 {
			l.Printf(log.printf, "kind", "")
		}
		log.take()
		begin := time.Now()
		l.Flush()
		l.Flush()
		synctest.Wait()
		if lines := log.take(); len(lines) != 1 || !strings.Contains(lines[0], " 5 ") || time.Since(begin) > 0 {
			t.Errorf("logged after %v: %q", time.Since(begin), lines)
		}
		time.Sleep(time.Hour)
		if lines := log.take(); lines != nil {
			t.Errorf("logged again: %q", lines)
		}
	})
}

// The application's logger may do anything: lines are suppressed while it blocks, and a line that
// it does not survive is lost.
func TestLogLimiterSurvivesItsLog(t *testing.T) {
	for name, last := range map[string]func(){
		"blocks": func() { time.Sleep(5 * limitPeriod) }, "panics": func() { panic("a log") }, "exits": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l LogLimiter
				log := new(lineLog)
				var reports atomic.Int32
				logf := func(format string, args ...any) {
					log.printf(format, args...)
					if len(args) == 2 { // the report
						reports.Add(1)
						last()
					}
				}
				for range 20 {
					for range limitLines + 1 {
						l.Printf(logf, "kind", "")
					}
					time.Sleep(limitPeriod + time.Second)
					synctest.Wait()
				}
				least, most := 19, 20
				if name == "blocks" {
					least, most = 3, 5
				}
				got := int(reports.Load())
				if got < least || got > most {
					t.Errorf("%d reports, want %d to %d", got, least, most)
				}
				if n := len(log.take()); n > (got+1)*(limitLines+1) {
					t.Errorf("%d lines are logged with %d reports", n, got)
				}
				time.Sleep(10 * limitPeriod) // let the last report end
			})
		})
	}
}
