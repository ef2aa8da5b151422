package stack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func TestLocked(t *testing.T) {
	done := make(chan [3]bool)
	go func() {
		var buf [64]byte
		var got [3]bool
		got[0] = Locked(buf[:])
		runtime.LockOSThread()
		got[1] = Locked(buf[:])
		runtime.UnlockOSThread()
		got[2] = Locked(buf[:])
		done <- got
	}()
	if got := <-done; got != [3]bool{false, true, false} {
		t.Errorf("before, while and after it is locked: %v", got)
	}
}

// A reader notes whether an http.MaxBytesReader calls it.
type reader struct{ byLimit bool }

func (r *reader) Read(p []byte) (int, error) {
	r.byLimit = CalledByLimit(0)
	return len(p), nil
}

func (*reader) Close() error { return nil }

// An outer is a reader around another one, as in package http1.
type outer struct{ byLimit bool }

func (r *outer) Read(p []byte) (int, error) { return r.read(p) }
func (*outer) Close() error                 { return nil }

//go:noinline
func (r *outer) read(p []byte) (int, error) {
	r.byLimit = CalledByLimit(1)
	return len(p), nil
}

func TestCalledByLimit(t *testing.T) {
	w := httptest.NewRecorder()
	for name, tt := range map[string]struct {
		around func(r io.ReadCloser) io.Reader
		want   bool
	}{
		"nothing":                   {func(r io.ReadCloser) io.Reader { return r }, false},
		"a limit":                   {func(r io.ReadCloser) io.Reader { return http.MaxBytesReader(w, r, 10) }, true},
		"a limit around a limit":    {func(r io.ReadCloser) io.Reader { return http.MaxBytesReader(w, http.MaxBytesReader(w, r, 10), 20) }, true},
		"a LimitedReader":           {func(r io.ReadCloser) io.Reader { return io.LimitReader(r, 10) }, false},
		"a LimitedReader and limit": {func(r io.ReadCloser) io.Reader { return io.LimitReader(http.MaxBytesReader(w, r, 10), 5) }, false},
	} {
		var r reader
		var o outer
		tt.around(&r).Read(make([]byte, 5))
		tt.around(&o).Read(make([]byte, 5))
		if r.byLimit != tt.want || o.byLimit != tt.want {
			t.Errorf("under %s it reports %v and %v, want %v", name, r.byLimit, o.byLimit, tt.want)
		}
	}
}

func complain(except ...string) runtime.Frame { return Caller(except...) }

func TestCaller(t *testing.T) {
	const here = "github.com/recycling-go/recycling/core/internal/stack."
	if got := complain().Function; got != here+"TestCaller" {
		t.Errorf("the caller is %s, want %sTestCaller", got, here)
	}
	if got := complain("none", here).Function; !strings.HasPrefix(got, "testing.") {
		t.Errorf("the caller outside of this package is %s, want package testing", got)
	}
}
