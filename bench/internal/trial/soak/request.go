package soak

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
)

// A request is a request that a client sends.
type request struct {
	canary
	method  string
	path    string // path on the site, with slashes around it
	size    int    // of the response's body
	old     bool   // HTTP/1.0
	more    string // header fields, each with its line end
	body    int    // in bytes; -1 means none
	chunked bool
}

// head returns the request line and the header.
func (r request) head() []byte {
	version := "1.1"
	if r.old {
		version = "1.0"
	}
	h := fmt.Appendf(nil, "%s %s?%d.%v HTTP/%s\r\nHost: localhost\r\n%s: %v\r\n%s", r.method, r.path, r.size, r.canary, version, header, r.canary, r.more)
	switch {
	case r.body < 0:
	case r.chunked:
		h = append(h, "Transfer-Encoding: chunked\r\n"...)
	default:
		h = fmt.Appendf(h, "Content-Length: %d\r\n", r.body)
	}
	return append(h, "\r\n"...)
}

// content returns the body with its framing.
func (r request) content(rnd *rand.Rand) []byte {
	if r.body < 0 {
		return nil
	}
	song := r.song(r.body)
	if !r.chunked {
		return song
	}
	var b []byte
	for len(song) > 0 {
		n := 1 + rnd.IntN(len(song))
		b = fmt.Appendf(b, "%x\r\n%s\r\n", n, song[:n])
		song = song[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// bytes returns the whole request.
func (r request) bytes(rnd *rand.Rand) []byte { return append(r.head(), r.content(rnd)...) }

// answer reads the whole response from br, and checks that it belongs to r.
func (r request) answer(br *bufio.Reader, status int) (*http.Response, error) {
	res, err := r.begin(br, status)
	if err != nil {
		return nil, err
	}
	n, ok, err := r.hear(res.Body)
	want := r.size
	if r.method == "HEAD" {
		want = 0
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: in the body", errWrong)
	case err != nil:
		return nil, err
	case n != want:
		return nil, fmt.Errorf("%w: %d bytes, want %d", errWrong, n, want)
	}
	return res, nil
}

// begin reads the response up to its body.
func (r request) begin(br *bufio.Reader, status int) (*http.Response, error) {
	res, err := http.ReadResponse(br, &http.Request{Method: r.method})
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != status:
		return nil, fmt.Errorf("status %d, want %d", res.StatusCode, status)
	case res.Header.Get(header) != r.String():
		return nil, fmt.Errorf("%w: of %q, want %v", errWrong, res.Header.Get(header), r.canary)
	}
	return res, nil
}

// over checks that only the end of the connection follows. That may be a reset, if the server was
// sent data that it did not read.
func over(br *bufio.Reader) error {
	b, err := io.ReadAll(br)
	switch {
	case len(b) > 0:
		return fmt.Errorf("%w: %q where the connection should end", errWrong, b[:min(len(b), 100)])
	case isReset(err):
		return nil
	}
	return err
}

// half checks that what arrives is only a part of a response, and belongs to r. It may also be
// nothing.
func (r request) half(br *bufio.Reader) error {
	b, err := io.ReadAll(br)
	if err != nil && !isReset(err) {
		return err
	}
	in := bufio.NewReader(bytes.NewReader(b))
	if len(b) == 0 {
		return nil
	}
	res, err := r.begin(in, http.StatusOK)
	if err != nil {
		return err
	}
	n, ok, err := r.hear(res.Body)
	switch {
	case !ok:
		return fmt.Errorf("%w: in the body", errWrong)
	case err == nil:
		return fmt.Errorf("%w: %d bytes were a whole answer, want a part", errWrong, n)
	}
	return nil
}
