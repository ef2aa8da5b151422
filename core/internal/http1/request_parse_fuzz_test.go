package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// FuzzParse compares the parser with net/http's: the verdict and the request must be the same,
// except for the table in package http1's comment.
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
	end, _, _ := headerEnd(input, 0)
	if end == 0 || input[0] == '\r' || input[0] == '\n' {
		return // no complete header block; empty lines are skipped before parsing
	}
	block := input[:end]
	if bytes.Count(block, []byte("\n")) > 500 {
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
	c := &Conn{srv: s, listener: &ListenerConfig{Server: s, Context: context.Background()}}
	set, err := park.NewSet(park.Config{})
	if err != nil {
		return nil, err
	}
	set.Add(&c.Conn, &memConn{})
	x, err := w.newExchange(c, block)
	return x.req, err
}

// netParse does what net/http's server does with a header block.
func netParse(block string) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(block)))
	if err != nil {
		return nil, err
	}
	// ReadRequest hides Host, which the server examines.
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

// hostLines returns the values of Host, with folded lines joined.
func hostLines(block string) (hosts []string) {
	_, rest := cutLine([]byte(block))
	x := exchange{requestState: requestState{trailer: true}}
	h, _ := x.parseFields(rest, 0)
	return h["Host"]
}

func TestHeaderHasNoMoreFieldsThanThat(t *testing.T) {
	for _, limit := range []fieldLimit{0, 1, 3, 500, maxFields + 1, 2 * maxFields} {
		parse := func(n int, field string) error {
			x := new(exchange)
			_, err := x.parseFields([]byte(strings.Repeat(field, n)+"\r\n"), limit)
			return err
		}
		most, want := int(limit), errValues
		if limit == 0 {
			most, want = maxFields, errFields
		}
		for _, field := range []string{"X: y\r\n", "Host: a\n"} {
			if err := parse(most, field); err != nil {
				t.Errorf("%d of %d fields: %v", most, limit, err)
			}
			if err := parse(most+1, field); err != want {
				t.Errorf("%d of %d fields: %v, want %v", most+1, limit, err, want)
			}
			if err := parse(most+1, "X y: z\x00\r\n"); !errors.Is(err, errMalformed) {
				t.Errorf("malformed fields: %v", err)
			}
		}
		if err := parse(1, "X: y\r\n"+strings.Repeat(" z\r\n", max(most, maxFields)-1)); err != nil {
			t.Errorf("one field of %d on as many lines: %v", limit, err)
		}
		if err := parse(1, "X: y\r\n"+strings.Repeat(" z\r\n", max(most, maxFields))); err != errFields {
			t.Errorf("one field of %d on one line more: %v, want %v", limit, err, errFields)
		}
	}
}
