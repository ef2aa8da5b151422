package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func nothing(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }

// panicOf returns the text of the panic of f, or "".
func panicOf(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

func TestNamesCanBePartsOfSubjects(t *testing.T) {
	for _, name := range []string{"a", "Z", "0", "_", "-", "a-B_9", strings.Repeat("x", MaxName)} {
		var s Set
		if text := panicOf(func() { Register(&s, name, nothing, Options{}) }); text != "" {
			t.Errorf("%q: %s", name, text)
		}
	}
	for _, name := range []string{"", " ", "a b", "a.b", "a/b", "a>", "*", "ü", "a\x00", "a\n", strings.Repeat("x", MaxName+1)} {
		var s Set
		if text := panicOf(func() { Register(&s, name, nothing, Options{}) }); !strings.Contains(text, fmt.Sprintf("name is %q", name)) {
			t.Errorf("%q: the panic is %q", name, text)
		}
		if len(s.Names()) != 0 {
			t.Errorf("%q was added", name)
		}
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"Timeout of x is -1s":     {Timeout: -time.Second},
		`Slots["GPU"] of x is -1`: {Slots: offload.Slots{"GPU": -1}},
	} {
		var s Set
		if text := panicOf(func() { Register(&s, "x", nothing, o) }); !strings.Contains(text, want) {
			t.Errorf("the panic is %q, want %q", text, want)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	var s Set
	Register(&s, "b", nothing, Options{})
	RegisterStream(&s, "a", func(context.Context, int, io.Writer) error { return nil }, Options{})
	for name, register := range map[string]func(){
		"a": func() { Register(&s, "a", nothing, Options{}) },
		"b": func() { RegisterStream(&s, "b", func(context.Context, int, io.Writer) error { return nil }, Options{}) },
	} {
		if text := panicOf(register); !strings.Contains(text, name+" is registered twice") {
			t.Errorf("%s: the panic is %q", name, text)
		}
	}
	if got := s.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names are %q", got)
	}
}

func TestLookup(t *testing.T) {
	var s Set
	if _, ok := s.Lookup("a"); ok {
		t.Error("an empty Set has a task")
	}
	tk := Register(&s, "a", nothing, Options{Timeout: time.Second, Idempotent: true})
	o, ok := s.Lookup("a")
	if !ok || o.Timeout != time.Second || !o.Idempotent || o.Encoding != JSON {
		t.Errorf("options are %+v, %v", o, ok)
	}
	if tk.Name() != "a" {
		t.Errorf("the name is %q", tk.Name())
	}
}

func TestWarmStopsAtTheFirstError(t *testing.T) {
	var s Set
	var called []string
	warm := func(name string, f func() error) {
		Register(&s, name, nothing, Options{Warm: func(context.Context) error {
			called = append(called, name)
			return f()
		}})
	}
	failure := errors.New("no model")
	warm("good", func() error { return nil })
	warm("bad", func() error { return failure })
	warm("panics", func() error { panic("no memory") })
	Register(&s, "none", nothing, Options{})

	if err := s.Warm(t.Context(), "good", "none"); err != nil {
		t.Error(err)
	}
	if err := s.Warm(t.Context(), "good", "bad", "good"); !errors.Is(err, failure) || !strings.Contains(err.Error(), "bad") {
		t.Errorf("the error is %v", err)
	}
	if err := s.Warm(t.Context(), "panics"); err == nil || !strings.Contains(err.Error(), "panics") || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("the error is %v", err)
	}
	if err := s.Warm(t.Context(), "stranger"); !errors.Is(err, ErrUnknown) {
		t.Errorf("the error is %v", err)
	}
	if want := []string{"good", "good", "bad", "panics"}; !slices.Equal(called, want) {
		t.Errorf("called %q, want %q", called, want)
	}
}

func TestBytesRefusesOtherTypes(t *testing.T) {
	if _, err := Bytes.Marshal("text"); err == nil || !strings.Contains(err.Error(), "string") {
		t.Errorf("the error is %v", err)
	}
	var text string
	if err := Bytes.Unmarshal([]byte("x"), &text); err == nil || !strings.Contains(err.Error(), "*string") {
		t.Errorf("the error is %v", err)
	}
	var b []byte
	if err := Bytes.Unmarshal([]byte("x"), &b); err != nil || string(b) != "x" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestEncodeAndDecodeAreThoseOfTheTask(t *testing.T) {
	var s Set
	tk := Register(&s, "a", func(_ context.Context, in int) (string, error) { return fmt.Sprint(in), nil }, Options{})
	if b, err := tk.Encode(7); err != nil || string(b) != "7" {
		t.Errorf("got %q, %v", b, err)
	}
	if out, err := tk.Decode([]byte(`"x"`)); err != nil || out != "x" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := tk.Decode([]byte(`{`)); err == nil || !strings.Contains(err.Error(), "a") {
		t.Errorf("the error is %v", err)
	}
	bad := RegisterStream(&s, "b", func(context.Context, chan int, io.Writer) error { return nil }, Options{})
	if _, err := bad.Encode(nil); err == nil || !strings.Contains(err.Error(), "b") {
		t.Errorf("the error is %v", err)
	}
}
