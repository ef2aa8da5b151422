package park

import (
	"sync"
	"time"
)

// A LogLimiter bounds how many lines of a kind are logged that clients can cause: 100 lines in 10
// seconds. When these are over, one more line says how many others were suppressed. The zero value
// is ready for use. All methods may be called concurrently.
type LogLimiter struct {
	mu         sync.Mutex // guards the following
	since      time.Time  // when the current period began
	passed     int        // lines in the period
	suppressed int        // lines that have not been reported yet; if positive, timer reports them
	timer      *time.Timer
}

const (
	limitLines  = 100
	limitPeriod = 10 * time.Second
)

// Printf passes a line to logf, unless it is suppressed. The line is kind, which is the same for
// all calls, and the formatted rest. The number of suppressed lines is passed to logf too, on
// another goroutine, where logf may panic or end the goroutine.
func (l *LogLimiter) Printf(logf func(format string, args ...any), kind, format string, args ...any) {
	if l.take(logf, kind) {
		logf(kind+format, args...)
	}
}

// take counts a line, and reports whether it may be logged.
func (l *LogLimiter) take(logf func(format string, args ...any), kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.suppressed == 0 && now.Sub(l.since) >= limitPeriod { // otherwise report begins a period
		l.since, l.passed = now, 0
	}
	if l.passed < limitLines {
		l.passed++
		return true
	}
	if l.suppressed++; l.suppressed == 1 {
		l.timer = time.AfterFunc(limitPeriod-now.Sub(l.since), func() { l.report(logf, kind) })
	}
	return false
}

// report logs how many lines were suppressed, and begins another period. While it waits for logf,
// further lines are suppressed.
func (l *LogLimiter) report(logf func(format string, args ...any), kind string) {
	l.mu.Lock()
	n := l.suppressed
	l.mu.Unlock()
	defer func() {
		recover() // a panic of logf cannot be reported anywhere
		l.mu.Lock()
		defer l.mu.Unlock()
		l.since, l.passed = time.Now(), 0
		if l.suppressed -= n; l.suppressed > 0 {
			l.timer.Reset(limitPeriod)
		}
	}()
	logf("%s: suppressed %d more lines of this kind", kind, n)
}

// Flush reports suppressed lines at once rather than at the end of the period. It does not wait for
// that.
func (l *LogLimiter) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil && l.timer.Stop() {
		l.timer.Reset(0)
	}
}
