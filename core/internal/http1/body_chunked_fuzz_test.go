package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// FuzzChunked compares the decoder of chunked bodies with net/http's: the bytes and the verdict
// must be the same, and nothing may be read beyond the last chunk, unless the input violates the
// grammar. The result must depend neither on how the input is cut into reads nor on the size of the
// reads.
func FuzzChunked(f *testing.F) {
	for _, v := range chunkedVectors() {
		f.Add([]byte(v), []byte{6, 0, 40}, uint8(7))
	}
	f.Fuzz(compareDecoders)
}

func TestChunkedDecoderAgreesWithNetHTTP(t *testing.T) {
	for _, v := range chunkedVectors() {
		for _, size := range []uint8{0, 7, 255} {
			compareDecoders(t, []byte(v), []byte{0}, size)
		}
	}
}

// chunkedVectors returns the chunked bodies in connections.
func chunkedVectors() (all []string) {
	for _, v := range connections() {
		head, body, ok := strings.Cut(v, "\r\n\r\n")
		if ok && strings.Contains(head, "Transfer-Encoding: chunked") {
			all = append(all, body)
		}
	}
	return all
}

// A decoding is the result of decoding a chunked body.
type decoding struct {
	data, err string
	rest      string // rest of the input, if there was no error
}

func compareDecoders(t *testing.T, input, cuts []byte, size uint8) {
	got := decode(t, input, cuts, int(size)+1)
	if whole := decode(t, input, nil, 4096); got != whole {
		t.Errorf("%q\nin reads of %v, %d asked for: %+v\nin one read: %+v", input, cuts, size, got, whole)
	}
	br := bufio.NewReader(bytes.NewReader(input))
	want := decodeFrom(httputil.NewChunkedReader(br), br, int(size)+1)
	if _, _, fault := chunksLen(input); fault {
		if got.err == "EOF" || !strings.HasPrefix(want.data, got.data) && !strings.HasPrefix(got.data, want.data) {
			t.Errorf("%q\ngot  %+v\nwant a fault, instead of %+v", input, got, want)
		}
	} else if got != want {
		t.Errorf("%q\ngot  %+v\nwant %+v", input, got, want)
	}
}

func decode(t *testing.T, data, cuts []byte, size int) decoding {
	set, err := park.NewSet(park.Config{})
	if err != nil {
		t.Fatal(err)
	}
	in := newInput()
	in.c = new(park.Conn)
	set.Add(in.c, &memConn{in: data, cuts: cuts})
	return decodeFrom(chunksReader{new(chunks), &in}, &in, size)
}

// A chunksReader combines chunks with its input.
type chunksReader struct {
	*chunks
	in *input
}

func (r chunksReader) Read(p []byte) (int, error) { return r.read(r.in, p) }

// decodeFrom reads all of r, size bytes at a time. r reads from in.
func decodeFrom(r, in io.Reader, size int) (d decoding) {
	var data []byte
	buf := make([]byte, size)
	for {
		n, err := r.Read(buf)
		data = append(data, buf[:n]...)
		if err != nil {
			d.data, d.err = string(data), class(err)
			break
		}
	}
	if d.err == "EOF" {
		rest, _ := io.ReadAll(in)
		d.rest = string(rest)
	}
	return d
}
