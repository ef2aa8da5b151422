package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

var (
	errLineTooLong = http.ErrLineTooLong
	errChunk       = errors.New("malformed chunked encoding")
)

// maxChunkLine is the longest line that begins a chunk, its extensions included.
const maxChunkLine = bufferSize

// chunks decodes a chunked body (RFC 9112 section 7.1). It reads no byte beyond it.
//
// httputil.NewChunkedReader would do as much, but it brings a read buffer of its own, in which the next
// request would get lost, and accepts lines that are not in the grammar.
type chunks struct {
	left   uint64 // of the chunk at hand
	begun  bool   // a chunk was begun, so that CRLF must follow it
	done   bool   // the last chunk was read
	excess int64  // bytes of overhead beyond what is usual; see overhead
	err    error  // what went wrong; nothing is read after it
}

// read reads from the body into p, and returns io.EOF at the last chunk. The trailer follows.
func (d *chunks) read(in *input, p []byte) (n int, err error) {
	if d.err != nil {
		return 0, d.err
	}
	for n < len(p) {
		if d.left == 0 {
			if d.done {
				return n, io.EOF
			}
			if n > 0 && !complete(in.bytes()) {
				return n, nil // do not wait for the next chunk with bytes in hand
			}
			if d.err = d.next(in); d.err != nil {
				return n, d.fail(d.err)
			}
			continue
		}
		k, err := in.Read(p[n:min(uint64(len(p)), uint64(n)+d.left)])
		n += k
		d.left -= uint64(k)
		if err != nil {
			return n, d.fail(err)
		}
		if d.left == 0 && complete(in.bytes()) {
			continue
		}
		return n, nil
	}
	return n, nil
}

// complete reports whether b holds the line end of a chunk and the line of the next.
func complete(b []byte) bool {
	ends := 0
	for _, c := range b {
		if c == '\n' {
			if ends++; ends == 2 {
				return true
			}
		}
	}
	return false
}

// next reads what stands between two chunks.
func (d *chunks) next(in *input) error {
	if d.begun {
		line, err := in.line(2)
		if err != nil {
			return notLong(err)
		}
		if string(line) != "\r\n" {
			return errChunk
		}
	}
	line, err := in.line(maxChunkLine)
	if err != nil {
		return err
	}
	size, err := chunkSize(line)
	if err != nil {
		return err
	}
	if size > 0 {
		if err := d.overhead(len(line), size); err != nil {
			return err
		}
	}
	d.left, d.begun, d.done = size, size > 0, size == 0
	return nil
}

// overhead refuses a body that is mostly lines and extensions: CVE-2023-39326. The accounting is
// that of net/http, which counts one of the two line ends: 16 bytes for a chunk's lines are free, and as much as
// twice its data. A size that overflows here is that of a chunk which never ends.
func (d *chunks) overhead(line int, size uint64) error {
	d.excess += int64(line)
	d.excess -= 16 + 2*int64(size)
	d.excess = max(d.excess, 0)
	if d.excess > 16*1024 {
		return errors.New("chunked encoding contains too much non-data")
	}
	return nil
}

// chunkSize parses a chunk's first line: hexadecimal digits, extensions, CRLF.
func chunkSize(line []byte) (n uint64, err error) {
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return 0, errChunk // a bare LF: CVE-2025-22871
	}
	line = line[:len(line)-2]
	i := 0
	for ; i < len(line); i++ {
		d := hexDigit(line[i])
		if d < 0 {
			break
		}
		if i == 16 {
			return 0, errors.New("http chunk length too large")
		}
		n = n<<4 | uint64(d)
	}
	if i == 0 {
		return 0, errors.New("empty hex number for chunk length")
	}
	rest := bytes.TrimRight(line[i:], " \t")
	if len(rest) > 0 && rest[0] != ';' {
		return 0, errors.New("invalid byte in chunk length")
	}
	if !validExtensions(string(rest)) {
		return 0, errChunk
	}
	return n, nil
}

// validExtensions reports whether s is *( BWS ";" BWS name [ BWS "=" BWS value ] ), RFC 9112 section 7.1.1.
func validExtensions(s string) bool {
	for s != "" {
		s, _ = strings.CutPrefix(s, ";") // there is one: see below, and chunkSize
		s = strings.TrimLeft(s, " \t")
		n := tokenLen(s)
		if n == 0 {
			return false
		}
		s = strings.TrimLeft(s[n:], " \t")
		if value, ok := strings.CutPrefix(s, "="); ok {
			value = strings.TrimLeft(value, " \t")
			if n = tokenLen(value); n == 0 {
				n = quotedLen(value)
			}
			if n == 0 {
				return false
			}
			s = strings.TrimLeft(value[n:], " \t")
		}
		if s != "" && s[0] != ';' {
			return false
		}
	}
	return true
}

// tokenLen returns the length of the token that s begins with.
func tokenLen(s string) int {
	for i := range len(s) {
		if chars[s[i]]&charToken == 0 {
			return i
		}
	}
	return len(s)
}

// quotedLen returns the length of the quoted-string that s begins with, 0 if there is none.
func quotedLen(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case chars[c]&charValue == 0:
			return 0
		case c == '\\':
			if i++; i < len(s) && chars[s[i]]&charValue == 0 {
				return 0
			}
		}
	}
	return 0
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// fail notes what went wrong. An end of input within a body is unexpected.
func (d *chunks) fail(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.err = err
	return err
}

// notLong turns a line that is longer than its grammar allows into what it is.
func notLong(err error) error {
	if err == errLineTooLong {
		return errChunk
	}
	return err
}
