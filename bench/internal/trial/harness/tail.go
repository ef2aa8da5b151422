package harness

import (
	"strings"
	"sync"
)

// A tail keeps the end of what is written to it. Several goroutines may use it at once.
type tail struct {
	mu   sync.Mutex // guards following
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 64 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// lastLines returns the last ten lines.
func (t *tail) lastLines() string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
