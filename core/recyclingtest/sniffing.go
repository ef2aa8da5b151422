package recyclingtest

import (
	"io"
	"net/http"
	"strings"
)

var sniffing = []behaviour{
	contentTypeIsSniffed,
	contentTypeIsSniffedFromTheBeginning,
	contentTypeOfTheHandlerIsKept,
	contentTypeIsNotSniffedWithNil,
	contentTypeIsNotSniffedWithContentEncoding,
	contentTypeIsNotSniffedWithTransferEncoding,
	contentTypeIsNotSniffedWithoutBody,
}

// contentTypeOf returns the response's Content-Type, and whether it has one.
func contentTypeOf(a *answer) (string, bool) {
	v, ok := a.Header["Content-Type"]
	return strings.Join(v, "|"), ok
}

func contentTypeIsSniffed(t *test) {
	c := t.serve(echoOnlyBody).dial(t)
	for body, want := range map[string]string{
		"plain":                           "text/plain; charset=utf-8",
		"<html><body>":                    "text/html; charset=utf-8",
		"  <!DOCTYPE html>":               "text/html; charset=utf-8",
		`{"json":1}`:                      "text/plain; charset=utf-8",
		"<?xml version=":                  "text/xml; charset=utf-8",
		"\x89PNG\x0D\x0A\x1A\x0A":         "image/png",
		"GIF89a":                          "image/gif",
		"%PDF-1.4":                        "application/pdf",
		"\x00\x01\x02":                    "application/octet-stream",
		"\x1f\x8b\x08":                    "application/x-gzip",
		strings.Repeat("x", 512) + "\x00": "text/plain; charset=utf-8", // only 512 bytes count
		strings.Repeat("x", 511) + "\x00": "application/octet-stream",
		strings.Repeat("x", 5000):         "text/plain; charset=utf-8",
	} {
		if got, _ := contentTypeOf(c.exchange(post("/", body))); got != want {
			t.Errorf("Content-Type of %.20q is %q, want %q", body, got, want)
		}
	}
}

// echoOnlyBody responds with the request's body and nothing else.
func echoOnlyBody(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Write(body)
}

func contentTypeIsSniffedFromTheBeginning(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for _, part := range []string{"<", "ht", "ml", "><body>"} {
			io.WriteString(w, part)
			if r.RequestURI == "/flushed" {
				w.(http.Flusher).Flush()
			}
		}
	}).dial(t)
	if got, _ := contentTypeOf(c.exchange(get("/"))); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q, want that of all", got)
	}
	if got, _ := contentTypeOf(c.exchange(get("/flushed"))); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type is %q, want that of the first byte, which was flushed", got)
	}
}

func contentTypeOfTheHandlerIsKept(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", strings.TrimPrefix(r.RequestURI, "/"))
		io.WriteString(w, "<html>")
	}).dial(t)
	for _, want := range []string{"x/y", "text/html;charset=latin1", ""} {
		if got, ok := contentTypeOf(c.exchange(get("/" + want))); got != want || !ok {
			t.Errorf("Content-Type is %q, %v; want %q", got, ok, want)
		}
	}
}

func contentTypeIsNotSniffedWithNil(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "<html>")
	}).dial(t)
	if got, ok := contentTypeOf(c.exchange(get("/"))); ok {
		t.Errorf("Content-Type is %q, want none", got)
	}
}

func contentTypeIsNotSniffedWithContentEncoding(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", strings.TrimPrefix(r.RequestURI, "/"))
		io.WriteString(w, "<html>")
	}).dial(t)
	if got, ok := contentTypeOf(c.exchange(get("/gzip"))); ok {
		t.Errorf("Content-Type is %q, want none", got)
	}
	if _, ok := contentTypeOf(c.exchange(get("/"))); !ok {
		t.Errorf("no Content-Type with an empty Content-Encoding")
	}
}

func contentTypeIsNotSniffedWithTransferEncoding(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		io.WriteString(w, "<html>")
	}).dial(t)
	if got, ok := contentTypeOf(c.exchange(get("/"))); ok {
		t.Errorf("Content-Type is %q, want none", got)
	}
}

func contentTypeIsNotSniffedWithoutBody(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/flushed" {
			w.(http.Flusher).Flush()
			io.WriteString(w, "<html>")
		}
	}).dial(t)
	for _, target := range []string{"/", "/flushed"} {
		if got, ok := contentTypeOf(c.exchange(get(target))); ok {
			t.Errorf("%s: Content-Type is %q, want none", target, got)
		}
	}
}
