package recycling_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// An exchange is a response, with the informational ones before it, and the method of its request.
type exchange struct {
	method string
	raw    []byte
	want   *readout
	framed bool   // its end is known without closing the connection
	damage string // what was done to raw so that it should not be read as want
}

// A readout is what a client read. Fields and Reason are decoded as latin1, and the fields are in
// the client's order: see inOrder.
type readout struct {
	Number        int // of the response, if the client says
	Status        int
	Version       string // "1.1"
	Reason        string
	Informational []int       // statuses; nil if the client does not say
	Header        [][2]string // pairs of name and value, repeated as often as they were sent
	Trailer       [][2]string // nil if the client does not say
	Length        int         // of the body
	SHA256        string      // of the body
	Error         string      // "" if all was read, "truncated" if the end came early, ...
}

// differs returns how got, which a client read, differs from want. Incomplete bodies are not
// compared.
func (want *readout) differs(got *readout, client string) string {
	wantHeader, gotHeader := inOrder(want.Header), inOrder(got.Header)
	if client == "go" { // it removes these for Response.Close and Response.Trailer
		special := func(f [2]string) bool { return f[0] == "connection" || f[0] == "trailer" }
		wantHeader, gotHeader = slices.DeleteFunc(wantHeader, special), slices.DeleteFunc(gotHeader, special)
	}
	switch {
	case got.Error != want.Error:
		return fmt.Sprintf("error %q after status %d, want %q", got.Error, got.Status, want.Error)
	case got.Status != want.Status || got.Version != want.Version || got.Reason != want.Reason:
		return fmt.Sprintf("status line %s %d %q, want %s %d %q", got.Version, got.Status, got.Reason, want.Version, want.Status, want.Reason)
	case got.Informational != nil && !slices.Equal(got.Informational, want.Informational):
		return fmt.Sprintf("informational responses %d, want %d", got.Informational, want.Informational)
	case !slices.Equal(gotHeader, wantHeader):
		return fmt.Sprintf("header %q, want %q", gotHeader, wantHeader)
	case want.Error != "":
		return ""
	case got.Trailer != nil && !slices.Equal(inOrder(got.Trailer), inOrder(want.Trailer)):
		return fmt.Sprintf("trailer %q, want %q", got.Trailer, want.Trailer)
	case got.Length != want.Length:
		return fmt.Sprintf("body of %d bytes, want %d", got.Length, want.Length)
	case got.SHA256 != want.SHA256:
		return "another body of the same length"
	}
	return ""
}

// inOrder returns fields in a form that can be compared: names in lower case and sorted, values
// trimmed. Values of one name stay in the order in which they were sent.
func inOrder(fields [][2]string) [][2]string {
	all := make([][2]string, 0, len(fields))
	for _, f := range fields {
		all = append(all, [2]string{strings.ToLower(f[0]), strings.Trim(f[1], " \t")})
	}
	slices.SortStableFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

// latin1 decodes bytes as ISO 8859-1, as Node and Python do for headers.
func latin1(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// body sets the fields for the body.
func (r *readout) body(src io.Reader) {
	h := sha256.New()
	n, err := io.Copy(h, src)
	r.Length, r.SHA256 = int(n), hex.EncodeToString(h.Sum(nil))
	r.fail(err)
}

func (r *readout) fail(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.Error = "truncated"
	default:
		r.Error = err.Error()
	}
}

// head sets the fields for the header, line by line as it was sent.
func (r *readout) head(raw string) {
	line, rest, _ := strings.Cut(raw, "\r\n")
	r.Version = strings.TrimPrefix(line[:strings.IndexByte(line, ' ')], "HTTP/")
	_, line, _ = strings.Cut(line, " ")
	code, reason, _ := strings.Cut(line, " ")
	r.Status, _ = strconv.Atoi(code)
	r.Reason = latin1(reason)
	r.Header = fieldLines(rest)
}

func fieldLines(raw string) (fields [][2]string) {
	for line := range strings.SplitSeq(raw, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields = append(fields, [2]string{name, latin1(value)})
		}
	}
	return fields
}

// goFields is fieldLines for a header that Go has read.
func goFields(h http.Header) [][2]string {
	all := [][2]string{}
	for name, values := range h {
		for _, v := range values {
			all = append(all, [2]string{name, latin1(v)})
		}
	}
	return all
}

// splitExchanges returns the exchanges of one connection, of which the server has read in and
// written out. The error is that of the last response, if no client could be expected to read it.
func splitExchanges(in, out []byte) (all []*exchange, err error) {
	requests := bufio.NewReader(bytes.NewReader(in))
	src := bytes.NewReader(out)
	responses := bufio.NewReader(src)
	at := func() int { return len(out) - src.Len() - responses.Buffered() }
	for begin := 0; begin < len(out); begin = at() {
		e := &exchange{method: methodOfNext(requests), want: &readout{Informational: []int{}}}
		var resp *http.Response
		for {
			last := at()
			if resp, err = http.ReadResponse(responses, &http.Request{Method: e.method}); err != nil {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					return all, err
				}
				return all, nil // not even a header
			}
			if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
				e.want.head(string(out[last:at()]))
				break
			}
			e.want.Informational = append(e.want.Informational, resp.StatusCode)
		}
		e.want.body(resp.Body)
		if e.want.Error != "" && e.want.Error != "truncated" {
			return all, errors.New(e.want.Error)
		}
		e.want.Trailer = goFields(resp.Trailer)
		e.raw = out[begin:at()]
		e.framed = e.want.Error == "" && e.method != "CONNECT" && resp.StatusCode != http.StatusSwitchingProtocols &&
			(resp.ContentLength >= 0 || resp.TransferEncoding != nil || resp.Body == http.NoBody)
		all = append(all, e)
	}
	return all, nil
}

// methodOfNext reads a request and returns its method. How a response is read depends on HEAD and
// CONNECT. Methods that not every client can send count as GET, and so does anything that is not a
// request.
func methodOfNext(r *bufio.Reader) string {
	for {
		b, _ := r.Peek(2)
		if string(b) != "\r\n" {
			break
		}
		r.Discard(2) // an empty line before a request
	}
	req, err := http.ReadRequest(r)
	if err != nil {
		return http.MethodGet
	}
	io.Copy(io.Discard, req.Body)
	switch req.Method {
	case "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return req.Method
	}
	return http.MethodGet
}
