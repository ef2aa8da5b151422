package task

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestStatusDoesNotDependOnThePlace(t *testing.T) {
	shed := &offload.ShedError{Reason: offload.ErrFull, RetryAfter: 1500 * time.Millisecond}
	byCode := func(e *Error) int {
		if e.Code == "not-found" {
			return http.StatusNotFound
		}
		return 0
	}
	for _, test := range []struct {
		err   error
		code  int
		after string
	}{
		{shed, 503, "2"},
		{fmt.Errorf("w: %w", shed), 503, "2"},
		{context.Canceled, 503, ""},
		{fmt.Errorf("%w: x", ErrUnknown), 503, ""},
		{context.DeadlineExceeded, 504, ""},
		{fmt.Errorf("%w: x", ErrLost), 502, ""},
		{&Error{}, 500, ""},
		{&Error{Code: "not-found"}, 404, ""},
		{fmt.Errorf("w: %w", &Error{Code: "not-found"}), 404, ""},
		{&Error{Code: "not-found", err: shed}, 404, ""}, // of a task that the task has called
		{&Error{err: shed}, 500, ""},
		{fmt.Errorf("%w: x", ErrSlots), 500, ""},
		{errors.New("encoding"), 500, ""},
	} {
		rec := httptest.NewRecorder()
		Fail(rec, test.err, byCode)
		if rec.Code != test.code || rec.Header().Get("Retry-After") != test.after || Status(test.err, byCode) != test.code {
			t.Errorf("%v: status %d, Retry-After %q, want %d, %q", test.err, rec.Code, rec.Header().Get("Retry-After"), test.code, test.after)
		}
		if want := fmt.Sprintf("%d %s\n", test.code, http.StatusText(test.code)); rec.Body.String() != want {
			t.Errorf("%v: the body is %q, want %q", test.err, rec.Body, want)
		}
	}
	if Status(nil, nil) != 200 || Status(&Error{Code: "not-found"}, nil) != 500 {
		t.Error("wrong status without an error, or without a function")
	}
}

// A client must not take a part of a stream for the whole.
func TestResponseWithAnErrorAfterAPartIsCutOff(t *testing.T) {
	p := local1(t)
	errs := make(chan error, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		fmt.Sscan(r.FormValue("n"), &n)
		w.Header().Set("Content-Type", "text/x")
		if err := writes.Do(r.Context(), p, n, w); err != nil {
			errs <- err
			Fail(w, err, nil)
		}
	}))
	defer srv.Close()
	for n, whole := range []bool{true, true, true, false} {
		resp, err := http.Get(srv.URL + "?n=" + fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		var got [10]byte
		read, err := resp.Body.Read(got[:])
		for err == nil {
			var more int
			more, err = resp.Body.Read(got[read:])
			read += more
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || read != n || (err.Error() == "EOF") != whole {
			t.Errorf("%d chunks: status %d, %d bytes, then %v", n, resp.StatusCode, read, err)
		}
	}
	if err := <-errs; !errors.Is(err, errOwn) || len(errs) > 0 {
		t.Errorf("the error is %v, and there are %d more", err, len(errs))
	}
}

func TestResponseWithAnErrorBeforeTheStreamHasAStatus(t *testing.T) {
	pool, err := offload.New(offload.Config{Workers: 1, RetryAfter: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
	rec := httptest.NewRecorder()
	Fail(rec, writes.Do(t.Context(), Local(pool), 1, rec), nil)
	if rec.Code != 503 || rec.Header().Get("Retry-After") != "3" {
		t.Errorf("status %d, header %v", rec.Code, rec.Header())
	}
}
