package http1

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// FuzzParse holds the parser against net/http's: the same verdict and the same request,
// but for what is in the table of package http1's comment.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, input []byte) { compareParsers(t, input) })
}

func TestParserAgreesWithNetHTTP(t *testing.T) {
	for _, v := range vectors {
		compareParsers(t, []byte(v))
	}
}

func compareParsers(t *testing.T, input []byte) {
	end, _ := headerEnd(input, 0)
	if end == 0 || input[0] == '\r' || input[0] == '\n' {
		return // no complete header block; empty lines are skipped before parsing
	}
	block := input[:end]
	if bytes.Count(block, []byte("\n")) > maxFields {
		return // see TestHeaderHasNoMoreFieldsThanThat
	}
	got, gotErr := parseBlock(block)
	want, wantErr := netParse(string(block))
	switch {
	case wantErr != nil:
		if gotErr == nil {
			t.Errorf("%q is accepted; net/http says %v", block, wantErr)
		}
		return
	case gotErr != nil:
		if !refusable(string(block)) || gotErr != errHost && !errors.Is(gotErr, errMalformed) {
			t.Errorf("%q is refused with %v; net/http accepts it", block, gotErr)
		}
		return
	case refusable(string(block)):
		t.Errorf("%q is accepted, as by net/http", block)
	}
	if !reflect.DeepEqual(got.URL, want.URL) {
		t.Errorf("%q: URL is %#v, want %#v", block, got.URL, want.URL)
	}
	if !reflect.DeepEqual(got.Header, want.Header) {
		t.Errorf("%q: Header is %q, want %q", block, got.Header, want.Header)
	}
	if !reflect.DeepEqual(got.Trailer, want.Trailer) || !reflect.DeepEqual(got.TransferEncoding, want.TransferEncoding) {
		t.Errorf("%q: Trailer %v and TransferEncoding %v, want %v and %v", block, got.Trailer, got.TransferEncoding, want.Trailer, want.TransferEncoding)
	}
	type rest struct {
		method, uri, proto, host string
		major, minor             int
		close, body              bool
		length                   int64
	}
	of := func(r *http.Request) rest {
		return rest{r.Method, r.RequestURI, r.Proto, r.Host, r.ProtoMajor, r.ProtoMinor, r.Close, r.Body != http.NoBody, r.ContentLength}
	}
	if of(got) != of(want) {
		t.Errorf("%q: %+v, want %+v", block, of(got), of(want))
	}
}

func parseBlock(block []byte) (*http.Request, error) {
	s := &Server{HTTP: &http.Server{}}
	w := NewWorker(s)
	c := &Conn{srv: s}
	set, err := park.NewSet(park.Config{})
	if err != nil {
		return nil, err
	}
	set.Add(&c.Conn, nil)
	x, err := w.newExchange(c, block)
	return &x.req, err
}

// netParse is what net/http's server does with a header block.
func netParse(block string) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(block)))
	if err != nil {
		return nil, err
	}
	// ReadRequest hides Host, which the server looks at.
	hosts := hostLines(block)
	preface := r.Method == "PRI" && len(r.Header) == 0 && len(hosts) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
	if r.ProtoMajor != 1 && !(r.Method == "PRI" && r.RequestURI == "*" && r.ProtoMajor == 2 && r.ProtoMinor == 0) {
		return nil, errVersion
	}
	if r.ProtoAtLeast(1, 1) && len(hosts) == 0 && !preface && r.Method != "CONNECT" {
		return nil, errNoHost
	}
	if len(hosts) == 1 && !all(hosts[0], charHost) {
		return nil, errHost
	}
	for name := range r.Header {
		if !isToken(name) {
			return nil, errHeaderName
		}
	}
	return r, nil
}

// hostLines returns the values of Host, folded lines joined.
func hostLines(block string) (hosts []string) {
	_, rest := cutLine(block)
	var x exchange
	if x.parseFields(rest) == nil {
		hosts = x.req.Header["Host"]
	}
	return hosts
}

func TestHeaderHasNoMoreFieldsThanThat(t *testing.T) {
	header := func(n int) []byte {
		return []byte("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", n-1) + "\r\n")
	}
	if _, err := parseBlock(header(maxFields)); err != nil {
		t.Errorf("%d fields: %v", maxFields, err)
	}
	if _, err := parseBlock(header(maxFields + 1)); err != errFields {
		t.Errorf("%d fields: %v, want %v", maxFields+1, err, errFields)
	}
}
