package http1

import (
	"fmt"
	"path"

	"github.com/recycling-go/recycling/core/internal/stack"
)

// logf logs a line once mu is released: the log's writer belongs to the application.
func (w *response) logf(format string, args ...any) {
	if w.said == nil {
		w.said = new([]string)
	}
	*w.said = append(*w.said, fmt.Sprintf(format, args...))
}

// logSaid writes the lines passed to logf. It releases mu meanwhile.
func (w *response) logSaid() {
	if w.said != nil {
		defer w.mu.Lock() // even if the log panics
		w.unlock()
	}
}

// unlock releases mu, and writes the lines passed to logf.
func (w *response) unlock() {
	said := w.said
	w.said = nil
	w.mu.Unlock()
	if said == nil {
		return
	}
	for _, line := range *said {
		w.ctx.srv.Logf("%s", line)
	}
}

// complain logs a mistake of the handler with its source line, skipping frames of net/http and of
// this package.
func (w *response) complain(what string) {
	frame := stack.Caller(thisPackage, "net/http.")
	w.logf("%s from %s (%s:%d)", what, frame.Function, path.Base(frame.File), frame.Line)
}

const thisPackage = "github.com/recycling-go/recycling/core/internal/http1."
