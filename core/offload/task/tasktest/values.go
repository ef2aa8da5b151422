package tasktest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

var values = []behaviour{
	jsonValuesArrive,
	valuesOfAnotherEncodingArrive,
	bytesArrive,
	emptyValuesArrive,
	bigValuesArrive,
	unknownTaskIsAnError,
	unencodableInputIsAnError,
	undecodableInputIsAnErrorWithACode,
	unencodableOutputIsAnError,
	undecodableOutputIsAnError,
	warmPrecedesTasks,
}

func sample() record {
	return record{
		ID:      1<<62 + 1,
		Text:    "<&>\u2028 ünïcode \x00 \"quoted\"",
		Bytes:   []byte{0, 255, '\n'},
		Numbers: []float64{-1.5, 0, 1e300},
		Map:     map[string]int{"": 0, "a": -1},
		Time:    time.Date(2026, 2, 28, 23, 59, 59, 999999999, time.UTC),
		Pointer: &record{Text: "inner"},
	}
}

func jsonValuesArrive(t *test) {
	if got := must(t, t.place(), echo, sample()); !reflect.DeepEqual(got, sample()) {
		t.Errorf("got %+v, want %+v", got, sample())
	}
}

func valuesOfAnotherEncodingArrive(t *test) {
	if got := must(t, t.place(), echoGob, sample()); !reflect.DeepEqual(got, sample()) {
		t.Errorf("got %+v, want %+v", got, sample())
	}
}

func bytesArrive(t *test) {
	p := t.place()
	for _, b := range [][]byte{nil, {}, {0}, []byte("null"), []byte("\r\n\r\n"), chunk(1, 100_000)} {
		if got := must(t, p, echoBytes, b); !bytes.Equal(got, b) {
			t.Errorf("got %d bytes, want the %d bytes that were sent", len(got), len(b))
		}
	}
}

func emptyValuesArrive(t *test) {
	p := t.place()
	must(t, p, echoEmpty, struct{}{})
	if got := must(t, p, echo, record{}); !reflect.DeepEqual(got, record{}) {
		t.Errorf("got %+v, want the zero value", got)
	}
}

func bigValuesArrive(t *test) {
	p := t.place()
	b := chunk(1, 16<<20)
	if got := must(t, p, echoBytes, b); !bytes.Equal(got, b) {
		t.Errorf("got %d bytes, want the %d bytes that were sent", len(got), len(b))
	}
	text := strings.Repeat("0123456789abcdef", 2<<20/16)
	if got := must(t, p, echo, record{Text: text}); got.Text != text {
		t.Errorf("got a text of %d bytes, want that of %d bytes that was sent", len(got.Text), len(text))
	}
}

// needEncoding skips the test if the place encodes nothing.
func (t *test) needEncoding() {
	if t.target.InProcess {
		t.Skip("the place calls the caller's function in the same process")
	}
}

func unknownTaskIsAnError(t *test) {
	t.needEncoding()
	p := t.place()
	if e := do(t, p, stranger, 1); !errors.Is(e.err, task.ErrUnknown) {
		t.Errorf("the error is %v, want ErrUnknown", e.err)
	}
	must(t, p, echoEmpty, struct{}{})
}

// failsLocally fails the test if err is that of a task, or of the place.
func failsLocally(t *test, err error) {
	t.Helper()
	var own *task.Error
	if err == nil || errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, task.ErrLost) {
		t.Errorf("the error is %v, want that of the encoding", err)
	}
}

func unencodableInputIsAnError(t *test) {
	t.needEncoding()
	p := t.place()
	failsLocally(t, do(t, p, toUnencodable, make(chan int)).err)
	must(t, p, echoEmpty, struct{}{})
}

func undecodableInputIsAnErrorWithACode(t *test) {
	t.needEncoding()
	p := t.place()
	var own *task.Error
	if e := do(t, p, toUndecodable, "x"); !errors.As(e.err, &own) || own.Code != task.CodeInput ||
		!strings.Contains(own.Message, errUndecodable.Error()) || own.Task != toUndecodable.Name() {
		t.Errorf("the error is %#v, want a task.Error with the code %q and the message of the encoding", e.err, task.CodeInput)
	}
	must(t, p, echoEmpty, struct{}{})
}

func unencodableOutputIsAnError(t *test) {
	t.needEncoding()
	p := t.place()
	var own *task.Error
	if e := do(t, p, fromUnencodable, 1); !errors.As(e.err, &own) || own.Code != "" {
		t.Errorf("the error is %v, want a task.Error without a code", e.err)
	}
	must(t, p, echoEmpty, struct{}{})
}

func undecodableOutputIsAnError(t *test) {
	t.needEncoding()
	p := t.place()
	e := do(t, p, fromUndecodable, 1)
	failsLocally(t, e.err)
	if !errors.Is(e.err, errUndecodable) {
		t.Errorf("the error is %v, want that of the encoding", e.err)
	}
	must(t, p, echoEmpty, struct{}{})
}

func warmPrecedesTasks(t *test) {
	if !must(t, t.place(), warm, struct{}{}) {
		t.Error("the task ran, but Options.Warm was not called")
	}
}
