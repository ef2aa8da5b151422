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

// maxChunkLine is the maximum length of the first line of a chunk, including its extensions.
const maxChunkLine = bufferSize

// chunks decodes a chunked body (RFC 9112 section 7.1). It does not read beyond the body.
//
// httputil.NewChunkedReader is no alternative: it has a read buffer of its own, in which the next
// request would get lost, and accepts lines that do not follow the grammar.
type chunks struct {
	left   uint64 // bytes left of the current chunk
	begun  bool   // a chunk has begun, and must be followed by CRLF
	done   bool   // the last chunk has been read
	excess int64  // bytes of overhead beyond the usual; see overhead
	err    error  // the first error; nothing is read after it
}

// read reads from the body into p. It returns io.EOF at the last chunk, after which the trailer
// follows.
func (d *chunks) read(in *input, p []byte) (n int, err error) {
	if d.err != nil {
		return 0, d.err
	}
	for n < len(p) {
		if d.left == 0 {
			if d.done {
				return n, io.EOF
			}
			if n > 0 && !nextThere(in) {
				return n, nil // do not wait for the next chunk with bytes in hand
			}
			if d.err = d.next(in); d.err != nil {
				return n, d.fail(d.err)
			}
			continue
		}
		k, err := in.Read(p[n:][:min(uint64(len(p)-n), d.left)]) // n+d.left could overflow
		n += k
		d.left -= uint64(k)
		if err != nil {
			return n, d.fail(err)
		}
		if d.left > 0 {
			return n, nil
		}
	}
	return n, nil
}

// nextThere reports whether the line end of the current chunk and the first line of the next one
// are buffered.
func nextThere(in *input) bool {
	b := in.bytes()
	for range 2 {
		i := bytes.IndexByte(b[:min(len(b), maxChunkLine)], '\n')
		if i < 0 {
			in.work += min(len(b), maxChunkLine)
			return false
		}
		in.work += i + 1
		b = b[i+1:]
	}
	return true
}

// next reads what separates two chunks.
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

// overhead rejects a body that consists mostly of chunk lines and extensions: CVE-2023-39326. It
// counts like net/http, which counts one of the two line ends: each chunk may have 16 bytes of
// lines plus twice the length of its data. The multiplication wraps around for sizes of 2^62 and
// more, as it does in net/http, so that both servers reject the same bodies. Only excess depends on
// the product, and excess is never negative.
func (d *chunks) overhead(line int, size uint64) error {
	d.excess += int64(line)
	d.excess -= 16 + 2*int64(size)
	d.excess = max(d.excess, 0)
	if d.excess > 16*1024 {
		return errors.New("chunked encoding contains too much non-data")
	}
	return nil
}

// chunkSize parses the first line of a chunk: hexadecimal digits, extensions, CRLF.
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

// validExtensions reports whether s matches *( BWS ";" BWS name [ BWS "=" BWS value ] ), see RFC
// 9112 section 7.1.1.
func validExtensions(s string) bool {
	for s != "" {
		s, _ = strings.CutPrefix(s, ";") // it has this prefix: see below, and chunkSize
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

// tokenLen returns the length of the token at the beginning of s.
func tokenLen(s string) int {
	for i := range len(s) {
		if chars[s[i]]&charToken == 0 {
			return i
		}
	}
	return len(s)
}

// quotedLen returns the length of the quoted-string at the beginning of s, or 0 if there is none.
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

// fail records err. An end of input within a body becomes io.ErrUnexpectedEOF.
func (d *chunks) fail(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	d.err = err
	return err
}

// notLong replaces errLineTooLong by errChunk, for a line whose grammar has a fixed length.
func notLong(err error) error {
	if err == errLineTooLong {
		return errChunk
	}
	return err
}
