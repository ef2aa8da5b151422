package server

import (
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	const get = "GET /yo HTTP/1.1\r\nHost: x\r\n"
	for text, want := range map[string]struct {
		n    int // -1 means an error
		path string
		last bool
	}{
		get + "\r\n":                           {len(get) + 2, "/yo", false},
		get + "\r\n" + get:                     {len(get) + 2, "/yo", false},
		get + "connection:  Close \r\n\r\n":    {len(get) + 23, "/yo", true},
		"GET /work/1 HTTP/1.1\r\n\r\n":         {24, "/work/1", false},
		get:                                    {},
		"":                                     {},
		"POST /yo HTTP/1.1\r\n\r\n":            {n: -1},
		"GET /yo HTTP/1.0\r\n\r\n":             {n: -1},
		"GET /yo HTTP/1.1\r\nno field\r\n\r\n": {n: -1},
		strings.Replace(get, "GET", "GE", 1) + "\r\n": {n: -1},
	} {
		r, n, err := parseRequest([]byte(text))
		if (err != nil) != (want.n < 0) || err == nil && n != want.n {
			t.Errorf("%q: length %d, error %v, want %d", text, n, err, want.n)
		}
		if want.n > 0 && (string(r.path) != want.path || r.yo != (want.path == "/yo") || r.close != want.last) {
			t.Errorf("%q is %q, close %v", text, r.path, r.close)
		}
	}
}

// A request that arrives while another one is being handled is answered after it.
func TestGnetAnswersInOrder(t *testing.T) {
	c := dial(t, start(t, Spec{Server: "gnet"}))
	for _, path := range []string{"/sleep/20", "/yo", "/work/1", "/nothing"} {
		c.send(t, path, "")
	}
	for _, want := range []string{"slept", "Hey!", "worked", "not found"} {
		if _, body := c.receive(t); body != want {
			t.Errorf("the answer is %q, want %q", body, want)
		}
	}
}

// gnet's responses have the same header as net/http's, so that neither server writes less than the
// other.
func TestGnetAnswersAsNetHTTP(t *testing.T) {
	header := func(name string) []string {
		c := dial(t, start(t, Spec{Server: name}))
		c.send(t, "/yo", "Connection: close\r\n")
		var lines []string
		for {
			line, err := c.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "\r\n" {
				return lines
			}
			if strings.HasPrefix(line, "Date: ") {
				line = "Date: " + line[len(line)-len("GMT\r\n"):]
			}
			lines = append(lines, line)
		}
	}
	want, got := header("net/http"), header("gnet")
	if strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("the header is %q, want %q", got, want)
	}
}
