package record

import (
	"fmt"
	"io"
	"os"
)

// A Progress shows what is being measured: on a terminal in one line that it overwrites, and
// otherwise in a new line each time.
type Progress struct {
	w        io.Writer
	terminal bool
}

// NewProgress returns a Progress that writes to w.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Say shows what comes next. A nil Progress shows nothing.
func (p *Progress) Say(format string, args ...any) {
	switch {
	case p == nil:
	case p.terminal:
		fmt.Fprintf(p.w, "\r\x1b[K%s", fmt.Sprintf(format, args...))
	default:
		fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// Done clears the line.
func (p *Progress) Done() {
	if p != nil && p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
