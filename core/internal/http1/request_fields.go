package http1

import (
	"bytes"
	"net/http"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// maxFieldsAhead is the maximum number of fields for which room is preallocated. Only fields within
// the first bufferSize bytes count. Lines are cheaper to send than room for them is to allocate
// (CVE-2023-24534), and an application that keeps the values of one field also keeps this room and
// the values of the other fields in it.
const maxFieldsAhead = 128

// maxFields is how many field lines a header may have, unless http.Server.MaxHeaderValueCount is
// larger. A header of the permitted size could otherwise hold hundreds of thousands, and each takes
// a hundred bytes of memory.
const maxFields = 1 << 14

// A fieldLimit is how many fields net/http allows in a header. Zero means no limit.
type fieldLimit int

func (s *Server) fieldLimit() fieldLimit { return fieldLimit(gohttp.MaxHeaderValues(s.HTTP)) }

// check returns an error if a header has too many fields or too many lines.
func (l fieldLimit) check(fields, lines int) error {
	switch {
	case l > 0 && fields > int(l):
		return errValues
	case lines > max(int(l), maxFields):
		return errFields
	}
	return nil
}

// parseFields parses the header lines in b, the last of which is empty. It stores Host in x.host
// instead of the header.
func (x *exchange) parseFields(b []byte, limit fieldLimit) (http.Header, error) {
	if len(b) > 0 && blank(b[0]) {
		return nil, errBlank
	}
	ahead := min(bytes.Count(b[:min(len(b), bufferSize)], newline)-1, maxFieldsAhead)
	if !x.trailer {
		ahead--
	}
	ahead = max(ahead, 0)
	h := make(http.Header, ahead)
	var values []string // one slice, cut up: most names have one value
	for lines, fields := 0, 1; ; fields++ {
		var line []byte
		if line, b = cutLine(b); len(line) == 0 {
			break
		}
		lines++
		if len(b) > 0 && blank(b[0]) {
			var more int
			line, b, more = unfold(line, b)
			lines += more
		} else {
			line = trimBytes(line)
		}
		name, value, err := splitField(line)
		if err == nil {
			err = limit.check(fields, lines)
		}
		if err != nil {
			return nil, err
		}
		key := x.fieldName(name)
		switch key {
		case "Host":
			if !x.trailer {
				if x.hosts++; x.hosts == 1 {
					x.host = x.text(value)
				}
				continue
			}
		case "Connection", "Content-Length", "Expect", "Pragma", "Trailer", "Transfer-Encoding":
			x.special = true
		}
		text := x.fieldValue(key, value)
		if vv := h[key]; vv != nil {
			h[key] = append(vv, text)
			continue
		}
		if len(values) == 0 {
			values = make([]string, max(ahead, 1))
			ahead = 1
		}
		vv := values[:1:1]
		values = values[1:]
		vv[0] = text
		h[key] = vv
	}
	return h, nil
}

var (
	errField = malformed("header line")
	errBlank = malformed("header begins with white space")
)

// splitField returns the name of a field, which may contain spaces (see spacedName), and its value.
// line has no white space at its ends.
func splitField(line []byte) (name, value []byte, err error) {
	name, value, ok := cutByte(line, ':')
	if !ok || !validValue(value) || knownName(name) == "" && (len(name) == 0 || !all(name, charToken) && !spacedName(name)) {
		return nil, nil, errField
	}
	return name, trimLeft(value), nil
}

// spacedName reports whether name, which is not a token, would be one without its spaces. A header
// with such a name is read to its end, since net/http rejects it with an error text of its own.
func spacedName(name []byte) bool {
	for _, c := range name {
		if c != ' ' && chars[c]&charToken == 0 {
			return false
		}
	}
	return true
}

// unfold joins a line with its continuation lines (obs-fold, RFC 9112 section 5.2), and returns how
// many there are.
func unfold(line, b []byte) (joined, rest []byte, n int) {
	if bytes.IndexByte(line, ':') < 0 {
		return nil, b, 0 // a name cannot be continued; without a colon it is rejected
	}
	joined = append([]byte(nil), trimBytes(line)...)
	for ; len(b) > 0 && blank(b[0]); n++ {
		line, b = cutLine(b)
		joined = append(joined, ' ')
		joined = append(joined, trimBytes(line)...)
	}
	return joined, b, n
}

// checkLine rejects a header line for which parse would later reject the request. n lines precede
// it: the request line and the field lines, not counting continuation lines. Checking early matters
// because the client may never send the rest.
func checkLine(line []byte, n int, limit fieldLimit) (err error) {
	line, _ = cutLine(line)
	switch {
	case n == 0:
		x := exchange{req: new(http.Request)}
		return x.parseRequestLine(line)
	case !blank(line[0]):
		if _, _, err = splitField(trimBytes(line)); err == nil {
			err = limit.check(n, n)
		}
	case n == 1:
		err = errBlank
	case !validValue(line):
		err = errField // it continues a field
	}
	return err
}

// fieldName returns the canonical form of a field name.
func (x *exchange) fieldName(name []byte) string {
	if known := knownName(name); known != "" {
		return known
	}
	var small [64]byte
	b := append(small[:0], name...)
	if !all(name, charToken) {
		x.spaceInName = true
		return string(name)
	}
	upper := true
	for i, c := range b {
		switch {
		case upper && 'a' <= c && c <= 'z':
			b[i] = c - ('a' - 'A')
		case !upper && 'A' <= c && c <= 'Z':
			b[i] = c + ('a' - 'A')
		}
		upper = c == '-'
	}
	return x.text(b)
}

// fieldValue returns a value as a string. Values that may be secret are not kept for later
// requests.
func (x *exchange) fieldValue(name string, value []byte) string {
	switch name {
	case "Authorization", "Cookie", "Proxy-Authorization":
		return string(value)
	}
	return x.text(value)
}
