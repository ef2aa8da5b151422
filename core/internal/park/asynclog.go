package park

import (
	"fmt"
	"sync"
)

// An asyncLog passes lines to the application's logger, which may block, panic or end its
// goroutine. It therefore writes them on a separate goroutine, and drops lines if the logger does
// not keep up. It limits the lines of each kind.
type asyncLog struct {
	mu       sync.Mutex             // guards following
	limiters map[string]*LogLimiter // by kind
	lines    []line                 // queued
	writing  bool                   // write is running
}

// A line is one log line and the logger it goes to.
type line struct {
	logf func(format string, args ...any)
	text string
}

// maxLines is the maximum number of queued lines.
const maxLines = 10

// printf queues a line to be written soon, as Printf of the LogLimiter for lines of this kind would
// write it. It does not wait.
func (a *asyncLog) printf(logf func(format string, args ...any), kind, format string, args ...any) {
	if logf == nil {
		return
	}
	queue := func(format string, args ...any) { a.queue(logf, format, args...) }
	a.limiter(kind).Printf(queue, kind, format, args...)
}

// limiter returns the LogLimiter for lines of this kind.
func (a *asyncLog) limiter(kind string) *LogLimiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limiters[kind]
	if l == nil {
		if a.limiters == nil {
			a.limiters = map[string]*LogLimiter{}
		}
		l = new(LogLimiter)
		a.limiters[kind] = l
	}
	return l
}

// queue queues a line.
func (a *asyncLog) queue(logf func(format string, args ...any), format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lines) >= maxLines {
		return
	}
	a.lines = append(a.lines, line{logf, fmt.Sprintf(format, args...)})
	if !a.writing {
		a.writing = true
		go a.write()
	}
}

// flush reports suppressed lines at once.
func (a *asyncLog) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.limiters {
		l.Flush()
	}
}

// write writes the queued lines.
func (a *asyncLog) write() {
	ended := false
	defer func() {
		if !ended {
			go a.write() // the logger has called runtime.Goexit
		}
	}()
	for {
		l, ok := a.next()
		if !ok {
			ended = true
			return
		}
		l.write()
	}
}

func (l line) write() {
	defer func() { recover() }() // a logger that panics cannot be reported anywhere
	l.logf("%s", l.text)
}

func (a *asyncLog) next() (line, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lines) == 0 {
		a.writing = false
		return line{}, false
	}
	l := a.lines[0]
	a.lines = a.lines[1:]
	return l, true
}
