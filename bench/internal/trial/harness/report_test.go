package harness

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestReportSaysWhatDoesNotHold(t *testing.T) {
	var text bytes.Buffer
	wrong := errors.New("wrong")
	r := Report{W: &text, Indent: "  ", Wrong: wrong}
	r.Line("speed %d", 3)
	r.Check(true, "lost %d", 0)
	r.Fail(nil)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	r.Check(false, "lost %d%%", 1)
	if err := r.Err(); !errors.Is(err, wrong) || err.Error() != "wrong: lost 1%" {
		t.Error(err)
	}
	r.Fail(io.EOF)
	if err := r.Err(); !errors.Is(err, wrong) || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if want := "  speed 3\n  lost 0\n  lost 1%  DOES NOT HOLD\n"; text.String() != want {
		t.Errorf("%q, want %q", &text, want)
	}
}

func TestReportOfATable(t *testing.T) {
	var text bytes.Buffer
	r := Report{W: &text}
	r.Table([]string{"#", "fault"}, [][]string{{"1", "a|b"}, {"2", "c"}})
	if want := "| # | fault |\n|---|---|\n| 1 | a\\|b |\n| 2 | c |\n"; text.String() != want || r.Err() != nil {
		t.Errorf("%q, %v, want %q", &text, r.Err(), want)
	}
}

func TestReportThatCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	report := Report{W: w}
	if report.Line("all is well"); !errors.Is(report.Err(), io.ErrClosedPipe) {
		t.Error(report.Err())
	}
}
