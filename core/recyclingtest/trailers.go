package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

var trailers = []behaviour{
	declaredTrailersAreSent,
	prefixedTrailersAreSent,
	undeclaredTrailersAreNotSent,
	trailersOfAnEmptyBodyAreSent,
	forbiddenTrailersAreNotSent,
	trailersAreNotSentWithContentLength,
	trailersAreNotSentToHTTP10OrHead,
	trailersAreReadByTheClient,
}

// responseTo returns the whole response to raw, on a connection that the server closes.
func (t *test) responseTo(raw string, h http.HandlerFunc) (head, body string) {
	t.Helper()
	c := t.serve(h).dial(t)
	c.send(raw)
	return c.head(), c.rest()
}

var closing = get("/", "Connection: close")

func declaredTrailersAreSent(t *test) {
	head, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-A, x-b")
		w.Header().Add("Trailer", "X-Unset")
		w.Header().Set("X-A", "header too")
		io.WriteString(w, "body")
		w.Header().Set("X-A", "1")
		w.Header().Add("X-B", "2")
		w.Header().Add("X-B", "3")
	})
	if !strings.Contains(head, "Trailer: X-A, x-b\r\nTrailer: X-Unset\r\n") || !strings.Contains(head, "X-A: header too\r\n") {
		t.Errorf("header is %q", head)
	}
	if want := "4\r\nbody\r\n0\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\n\r\n"; body != want {
		t.Errorf("body is %q, want %q", body, want)
	}
}

func prefixedTrailersAreSent(t *test) {
	head, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(http.TrailerPrefix+"X-Early", "1")
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	if strings.Contains(head, "Trailer") || strings.Contains(head, "X-Early") {
		t.Errorf("header is %q", head)
	}
	if want := "4\r\nbody\r\n0\r\nX-Early: 1\r\nX-Late: 2\r\n\r\n"; body != want {
		t.Errorf("body is %q, want %q", body, want)
	}
}

func undeclaredTrailersAreNotSent(t *test) {
	_, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-A")
		io.WriteString(w, "body")
		w.Header().Set("X-B", "2")
	})
	if want := "4\r\nbody\r\n0\r\n\r\n"; body != want {
		t.Errorf("body is %q, want %q", body, want)
	}
}

func trailersOfAnEmptyBodyAreSent(t *test) {
	_, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-A")
		w.WriteHeader(200)
		w.Header().Set("X-A", "1")
	})
	if want := "0\r\nX-A: 1\r\n\r\n"; body != want {
		t.Errorf("body is %q, want %q", body, want)
	}
}

func forbiddenTrailersAreNotSent(t *test) {
	_, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Content-Length, Transfer-Encoding, Trailer, X-A")
		io.WriteString(w, "body")
		w.Header().Set("Content-Length", "99")
		w.Header().Set("Transfer-Encoding", "x")
		w.Header().Set("X-A", "1\r\nX-B: injected")
	})
	if want := "4\r\nbody\r\n0\r\nX-A: 1  X-B: injected\r\n\r\n"; body != want {
		t.Errorf("body is %q, want %q", body, want)
	}
}

func trailersAreNotSentWithContentLength(t *test) {
	_, body := t.responseTo(closing, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Trailer", "X-A")
		io.WriteString(w, "body")
		w.Header().Set("X-A", "1")
	})
	if body != "body" {
		t.Errorf("body is %q", body)
	}
}

func trailersAreNotSentToHTTP10OrHead(t *test) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-A")
		io.WriteString(w, "body")
		w.Header().Set("X-A", "1")
	}
	if _, body := t.responseTo("GET / HTTP/1.0\r\n\r\n", h); body != "body" {
		t.Errorf("HTTP/1.0: body is %q", body)
	}
	if _, body := t.responseTo(request("HEAD", "/", "Connection: close"), h); body != "" {
		t.Errorf("HEAD: body is %q", body)
	}
}

func trailersAreReadByTheClient(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Read")
		n, err := io.Copy(io.Discard, r.Body)
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", fmt.Sprint(n, err))
		w.Header()["X-Read"] = r.Trailer["X-Sent"]
	})
	// The length of the body is not known.
	r, err := http.NewRequest("POST", origin, io.MultiReader(strings.NewReader("hello")))
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.Trailer = http.Header{"X-Sent": {"sent"}}
	resp, err := s.client(t).Do(r)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.Trailer.Get("X-Sum") != "5 <nil>" || !slices.Equal(resp.Trailer["X-Read"], []string{"sent"}) {
		t.Errorf("trailer is %v", resp.Trailer)
	}
}
