package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

var headers = []behaviour{
	headerFieldsAreSorted,
	headerKeysAreSentAsTheyAre,
	invalidHeaderNamesAreDropped,
	invalidHeaderValuesAreRepaired,
	headerWithoutValuesIsNotSent,
	connectionHeaderOfTheHandlerIsSent,
	largeResponseHeaderIsSent,
	headerOfOneResponseIsNotInTheNext,
	redirectsAreSent,
	errorsAreSent,
}

// fields returns the header lines without the status line, Date, and calculated fields.
func (c *wire) fields() string {
	c.t.Helper()
	var lines []string
	for _, line := range strings.Split(c.head(), "\r\n")[1:] {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "", "Date", "Content-Length", "Content-Type":
		default:
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "|")
}

// header sends a request to a handler that sets these header fields, and returns the fields that
// the server sent.
func (t *test) header(h http.Header) string {
	t.Helper()
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range h {
			w.Header()[k] = v
		}
	}).dial(t)
	c.send(closing)
	got := strings.TrimSuffix(c.fields(), "|Connection: close")
	c.ends()
	return got
}

func headerFieldsAreSorted(t *test) {
	got := t.header(http.Header{"X-C": {"3"}, "X-A": {"1", "0"}, "A": {"4"}, "X-B": {"2"}, "Zzz": {"5"}, "x-a": {"6"}})
	if want := "A: 4|X-A: 1|X-A: 0|X-B: 2|X-C: 3|Zzz: 5|x-a: 6"; got != want {
		t.Errorf("header is %q, want %q", got, want)
	}
}

func headerKeysAreSentAsTheyAre(t *test) {
	got := t.header(http.Header{"x-lower": {"1"}, "X-UPPER": {"2"}, "ETag": {"3"}})
	if want := "ETag: 3|X-UPPER: 2|x-lower: 1"; got != want {
		t.Errorf("header is %q, want %q", got, want)
	}
}

func invalidHeaderNamesAreDropped(t *test) {
	got := t.header(http.Header{"X A": {"1"}, "X:A": {"1"}, "X\r\nA": {"1"}, "": {"1"}, "X\x00": {"1"}, "Ü": {"1"}, "X-Good": {"2"}})
	if want := "X-Good: 2"; got != want {
		t.Errorf("header is %q, want %q", got, want)
	}
}

func invalidHeaderValuesAreRepaired(t *test) {
	for value, want := range map[string]string{
		"a\r\nX-B: injected":   "a  X-B: injected",
		"a\nb":                 "a b",
		"a\rb":                 "a b",
		" \t padded \t ":       "padded",
		"\r\n\r\n<html>":       "<html>",
		"a\x00b":               "a\x00b", // only line breaks are replaced
		"tab\tgrün\xff":        "tab\tgrün\xff",
		strings.Repeat("x", 9): strings.Repeat("x", 9),
	} {
		got := t.header(http.Header{"X-A": {value}})
		if want := "X-A: " + want; got != want {
			t.Errorf("header is %q, want %q", got, want)
		}
	}
}

func headerWithoutValuesIsNotSent(t *test) {
	got := t.header(http.Header{"X-Nil": nil, "X-None": {}, "X-Empty": {""}})
	if want := "X-Empty: "; got != want {
		t.Errorf("header is %q, want %q", got, want)
	}
}

func connectionHeaderOfTheHandlerIsSent(t *test) {
	for value, closes := range map[string]bool{"X-Hop": false, "keep-alive": false, "Upgrade": false, "close": true} {
		t.each(value, func(t *test) {
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Connection", value)
			}).dial(t)
			c.send(get("/"))
			if got := c.fields(); got != "Connection: "+value {
				t.Errorf("header is %q", got)
			}
			if closes {
				c.ends()
			} else {
				c.goesOn()
			}
		})
	}
}

func largeResponseHeaderIsSent(t *test) {
	value := pattern(100_000)
	h := http.Header{"X-Large": {value}}
	for i := range 1000 {
		h[fmt.Sprintf("X-%04d", i)] = []string{fmt.Sprint(i)}
	}
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range h {
			w.Header()[k] = v
		}
		io.WriteString(w, "body")
	}).dial(t)
	c.send(get("/"))
	a := c.wants(200, "body")
	for k := range h {
		if a.Header.Get(k) != h.Get(k) {
			t.Fatalf("%s is %.20q", k, a.Header.Get(k))
		}
	}
}

func headerOfOneResponseIsNotInTheNext(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/first" {
			w.Header().Set("X-First", "1")
			w.Header().Set("Content-Type", "x/y")
			w.Header().Set("Etag", "z")
			w.WriteHeader(201)
		}
		if n := len(w.Header()); r.RequestURI == "/second" && n != 0 {
			fmt.Fprint(w, "header has ", n)
		}
	}).dial(t)
	c.send(get("/first") + get("/second"))
	c.wants(201, "")
	if a := c.wants(200, ""); len(a.Header) != 2 {
		t.Errorf("header is %v, want Date and Content-Length", a.Header)
	}
}

func redirectsAreSent(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other?x", http.StatusFound) }).dial(t)
	c.send(get("/"))
	a := c.wants(http.StatusFound, "<a href=\"/other?x\">Found</a>.\n\n")
	if a.Header.Get("Location") != "/other?x" || a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("header is %v", a.Header)
	}
}

func errorsAreSent(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "sorry", 500) }).dial(t)
	c.send(get("/"))
	a := c.wants(500, "sorry\n")
	if a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header is %v", a.Header)
	}
}
