package http1

import "strings"

// Character classes of RFC 9110 section 5.6.2 and RFC 3986, as bits of one table.
const (
	charToken = 1 << iota // tchar
	charHost              // what net/http lets into a Host header
	charPath              // what stands for itself in a URL's path, as package net/url writes it
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

// all reports whether s consists of characters of one class. It is true of the empty string.
func all(s string, bit uint8) bool {
	for i := 0; i < len(s); i++ {
		if chars[s[i]]&bit == 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && all(s, charToken) }

// hasToken reports whether one of the lists in values has the element token, which is in lower case.
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

// equalFold reports whether a, its ASCII letters made small, is lower. Other than
// strings.EqualFold it knows no letters beyond ASCII, such as the Kelvin sign.
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

// trim returns s without white space at its ends, and without line ends too if lines.
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
