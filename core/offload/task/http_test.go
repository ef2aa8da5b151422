package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest"
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

// partial is a handler that writes as many chunks as the client asks for. With 3 the task fails.
func partial(p Place) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err == nil {
			err = writes.Do(r.Context(), p, n, w)
		}
		if err != nil {
			Fail(w, err, nil)
		}
	}
}

// recovers is middleware that lets no panic pass, as gin.Recovery.
func recovers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { recover() }()
		next.ServeHTTP(w, r)
	})
}

// A client must not take a part of a stream for the whole.
func TestResponseWithAnErrorAfterAPartIsCutOff(t *testing.T) {
	p := local1(t)
	check := func(t *testing.T, c *http.Client, url string) {
		defer c.CloseIdleConnections()
		for n, whole := range []bool{true, true, true, false} {
			resp, err := c.Get(url + "?n=" + fmt.Sprint(n))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || len(body) != n || (err == nil) != whole {
				t.Errorf("%d chunks: status %d, body %q, then %v", n, resp.StatusCode, body, err)
			}
		}
	}
	for name, h := range map[string]http.Handler{"panics": partial(p), "recovers": recovers(partial(p))} {
		t.Run(name+"/HTTP1", func(t *testing.T) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			check(t, srv.Client(), srv.URL)
		})
		t.Run(name+"/HTTP2", func(t *testing.T) {
			srv := httptest.NewUnstartedServer(h)
			srv.EnableHTTP2 = true
			srv.StartTLS()
			defer srv.Close()
			check(t, srv.Client(), srv.URL)
		})
		t.Run(name+"/recycling", func(t *testing.T) {
			in := recyclingtest.Serve(recycling.New(h, func(s *recycling.Server) { s.Log = slog.New(slog.DiscardHandler) }), recyclingtest.Loopback(t))
			defer func() { in.Close(); <-in.Served }()
			check(t, &http.Client{Transport: new(http.Transport)}, "http://"+in.Addr.String())
		})
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
