package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

var responses = []behaviour{
	statusDefaultsTo200,
	statusIsSentWithItsText,
	unknownStatusCodeIsSent,
	firstStatusWins,
	invalidStatusCodePanics,
	firstWriteFixesTheHeader,
	headerIsASnapshotOfWriteHeader,
	dateIsSent,
	dateOfTheHandlerIsKept,
}

func statusDefaultsTo200(t *test) {
	c := t.serve(func(http.ResponseWriter, *http.Request) {}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, ""); a.Status != "200 OK" || a.ContentLength != 0 {
		t.Errorf("status %q, Content-Length %d", a.Status, a.ContentLength)
	}
}

// statusOf responds with the status that the request's target names.
func statusOf(w http.ResponseWriter, r *http.Request) {
	var code int
	fmt.Sscanf(r.RequestURI, "/%d", &code)
	w.WriteHeader(code)
}

func statusIsSentWithItsText(t *test) {
	c := t.serve(statusOf).dial(t)
	for code := 200; code < 600; code++ {
		if text := http.StatusText(code); text != "" {
			a := c.exchange(get(fmt.Sprint("/", code)))
			if want := fmt.Sprint(code, " ", text); a.Status != want || a.text != "" {
				t.Errorf("status line is %q, body %q; want %q", a.Status, a.text, want)
			}
		}
	}
}

func unknownStatusCodeIsSent(t *test) {
	c := t.serve(statusOf).dial(t)
	for _, code := range []int{299, 499, 799, 999} {
		a := c.exchange(get(fmt.Sprint("/", code)))
		if want := fmt.Sprintf("%d status code %d", code, code); a.Status != want {
			t.Errorf("status line is %q, want %q", a.Status, want)
		}
	}
}

func firstStatusWins(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		io.WriteString(w, "x")
		w.WriteHeader(404)
	})
	c := s.dial(t)
	c.send(get("/"))
	c.wants(201, "x")
	s.log.wants(t, "http: superfluous response.WriteHeader call from ", "recyclingtest.firstStatusWins", " (response.go:")
	if !t.target.NoHooks {
		if n := strings.Count(s.log.String(), "superfluous"); n != 2 {
			t.Errorf("logged %d times, want 2:\n%s", n, s.log)
		}
	}
}

func invalidStatusCodePanics(t *test) {
	panics := make(chan any, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		defer func() { panics <- recover() }()
		statusOf(w, r)
	}).dial(t)
	for _, code := range []int{-1, 0, 1, 99, 1000, 10000} {
		c.exchange(get(fmt.Sprint("/", code)))
		want := fmt.Sprint("invalid WriteHeader code ", code)
		if v := receive(t, panics, "recovered panic"); v != want {
			t.Errorf("panic is %v, want %q", v, want)
		}
	}
}

func firstWriteFixesTheHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Before", "1")
		io.WriteString(w, "x")
		w.Header().Set("X-Before", "2")
		w.Header().Set("X-After", "1")
	}).dial(t)
	c.send(get("/"))
	a := c.wants(200, "x")
	if a.Header.Get("X-Before") != "1" || a.Header.Get("X-After") != "" {
		t.Errorf("header is %v", a.Header)
	}
}

func headerIsASnapshotOfWriteHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Foo"] = []string{"kept", "too"}
		h.Set("X-Deleted", "kept")
		w.WriteHeader(200)
		h["X-Foo"][0] = "changed in place"
		h["X-Foo"] = append(h["X-Foo"], "appended")
		h.Del("X-Deleted")
		h.Set("Content-Length", "12345")
		h.Set("Content-Type", "x/y")
		h.Set("Connection", "close")
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	a := c.wants(200, "body")
	if got := fmt.Sprint(a.Header["X-Foo"], a.Header["X-Deleted"]); got != "[kept too] [kept]" {
		t.Errorf("header is %v", a.Header)
	}
	c.goesOn()
}

func dateIsSent(t *test) {
	s := t.serve(statusOf)
	for _, target := range []string{"/200", "/204", "/301", "/304", "/404", "/500"} {
		a := s.dial(t).exchange(get(target))
		date, err := time.Parse(http.TimeFormat, a.Header.Get("Date"))
		if off := time.Since(date).Abs(); err != nil || off > patience {
			t.Errorf("%s: Date is %q: %v", target, a.Header.Get("Date"), err)
		}
	}
}

func dateOfTheHandlerIsKept(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.RequestURI {
		case "/own":
			w.Header().Set("Date", "some day")
		case "/none":
			w.Header()["Date"] = nil
		}
	}).dial(t)
	if a := c.exchange(get("/own")); a.Header.Get("Date") != "some day" || len(a.Header["Date"]) != 1 {
		t.Errorf("Date is %q", a.Header["Date"])
	}
	if a := c.exchange(get("/none")); a.Header["Date"] != nil {
		t.Errorf("Date is %q, want none", a.Header["Date"])
	}
}
