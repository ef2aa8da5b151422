package park

import (
	"fmt"
	"sync"
)

// A journal passes lines to the application's logger, which may block, panic or end its goroutine.
// It therefore writes them on a separate goroutine, and drops lines if there are too many or the
// logger does not keep up.
type journal struct {
	mu      sync.Mutex // guards following
	ration  Ration
	lines   []line // queued
	writing bool   // write is running
}

// A line is one log line and the logger it goes to.
type line struct {
	logf func(format string, args ...any)
	text string
}

// maxLines is the maximum number of queued lines.
const maxLines = 10

// printf queues a line to be written soon. It does not wait.
func (j *journal) printf(logf func(format string, args ...any), format string, args ...any) {
	if logf == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ration.Take() || len(j.lines) >= maxLines {
		return
	}
	j.lines = append(j.lines, line{logf, fmt.Sprintf(format, args...)})
	if !j.writing {
		j.writing = true
		go j.write()
	}
}

// write writes the queued lines.
func (j *journal) write() {
	ended := false
	defer func() {
		if !ended {
			go j.write() // the logger has called runtime.Goexit
		}
	}()
	for {
		l, ok := j.next()
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

func (j *journal) next() (line, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 0 {
		j.writing = false
		return line{}, false
	}
	l := j.lines[0]
	j.lines = j.lines[1:]
	return l, true
}
