package harness

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Report is the result of a trial: lines, which it writes at once, and errors for what does not
// hold. The trial returns Err, which decides the exit code of bench.
type Report struct {
	W      io.Writer
	Indent string // at the start of each line
	Wrong  error  // the error of Check wraps it

	errs []error
}

// Line writes a line.
func (r *Report) Line(format string, args ...any) {
	r.write(r.Indent + fmt.Sprintf(format, args...) + "\n")
}

// Check writes a line with a figure that must be right. If ok is false, the line says so, and the
// report has an error with the line.
func (r *Report) Check(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !ok {
		r.Fail(fmt.Errorf("%w: %s", r.Wrong, text))
		text += "  DOES NOT HOLD"
	}
	r.Line("%s", text)
}

// Table writes a table in Markdown.
func (r *Report) Table(head []string, rows [][]string) {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, cells := range rows {
		line(cells)
	}
	r.write(b.String())
}

// Fail adds an error to the report. It does nothing if err is nil.
func (r *Report) Fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// Err returns the errors so far, joined; nil if there are none.
func (r *Report) Err() error { return errors.Join(r.errs...) }

func (r *Report) write(text string) {
	_, err := io.WriteString(r.W, text)
	r.Fail(err)
}
