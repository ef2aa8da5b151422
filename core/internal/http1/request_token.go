package http1

import (
	"encoding/binary"
	"strings"
)

// Character classes of RFC 9110 section 5.6.2 and RFC 3986, as bits in one table.
const (
	charToken = 1 << iota // tchar
	charHost              // allowed in a Host header by net/http
	charPath              // not escaped in a URL's path by package net/url
	charValue             // field-vchar, SP and HTAB
	charDigit
)

var chars = func() (t [256]uint8) {
	mark := func(set string, bit uint8) {
		for _, c := range []byte(set) {
			t[c] |= bit
		}
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark(alnum+"!#$%&'*+-.^_`|~", charToken)
	mark(alnum+"!$%&'()*+,-.:;=[]_~", charHost)
	mark(alnum+"-_.~$&+,/:;=@", charPath)
	mark("0123456789", charDigit)
	for c := range 256 {
		if c >= ' ' && c != 0x7f || c == '\t' {
			t[c] |= charValue
		}
	}
	return t
}()

// all reports whether s consists of characters of one class. It returns true for the empty string.
func all[text string | []byte](s text, bit uint8) bool {
	for i := 0; i < len(s); i++ {
		if chars[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

// validValue reports whether b may be the value of a field: whether it consists of charValue. It
// looks at eight bytes at a time.
func validValue(b []byte) bool {
	for len(b) >= 8 {
		if mayHaveControl(binary.LittleEndian.Uint64(b)) && !all(b[:8], charValue) {
			return false
		}
		b = b[8:]
	}
	return all(b, charValue)
}

// mayHaveControl reports whether one of the eight bytes of v is a control character. See
// https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord.
func mayHaveControl(v uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := v ^ 0x7f*ones // its bytes that are zero were DEL
	return ((v-' '*ones)&^v|(del-ones)&^del)&tops != 0
}

func isToken(s string) bool { return s != "" && all(s, charToken) }

// hasToken reports whether one of the lists in values contains token, which must be lower case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for v != "" {
			var e string
			e, v, _ = strings.Cut(v, ",")
			if e = trimSpace(e); len(e) == len(token) && equalFold(e, token) {
				return true
			}
		}
	}
	return false
}

// equalFold reports whether a, with its ASCII letters in lower case, equals lower. Unlike
// strings.EqualFold, it does not fold letters beyond ASCII, such as the Kelvin sign.
func equalFold(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := 0; i < len(a); i++ {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trimSpace(s string) string { return trim(s, false) }

func blank(c byte) bool { return c == ' ' || c == '\t' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b
}

func trimBytes(b []byte) []byte {
	b = trimLeft(b)
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// trim returns s without white space at its ends. If lines is true, it also removes line ends
// there.
func trim(s string, lines bool) string {
	space := func(c byte) bool { return c == ' ' || c == '\t' || lines && (c == '\r' || c == '\n') }
	for s != "" && space(s[0]) {
		s = s[1:]
	}
	for s != "" && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
