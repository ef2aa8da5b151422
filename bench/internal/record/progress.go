package record

import (
	"fmt"
	"io"
	"os"
)

// A Progress says what is being measured: on a terminal in one line that is overwritten, else in a line each.
type Progress struct {
	w        io.Writer
	terminal bool
}

// NewProgress writes to w.
func NewProgress(w io.Writer) *Progress {
	p := &Progress{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// Say says what comes next. A nil Progress says nothing.
func (p *Progress) Say(format string, args ...any) {
	switch {
	case p == nil:
	case p.terminal:
		fmt.Fprintf(p.w, "\r\x1b[K%s", fmt.Sprintf(format, args...))
	default:
		fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// Done wipes the line.
func (p *Progress) Done() {
	if p != nil && p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
