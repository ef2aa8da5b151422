package applications

import (
	"fmt"
	"regexp"
	"strings"
)

// A Difference is a response of the recycled program that differs from that of the plain one.
type Difference struct {
	Request string // its method and path, and how it was sent
	What    string // header, body, trailer, messages, connection or error
	Plain   string // the first place that differs, with what is around it
	Other   string
}

// masks are the masks of an application, and those that every application has.
type masks []mask

type mask struct {
	match *regexp.Regexp
	why   string
}

// newMasks returns the masks of an application, which has been checked.
func newMasks(list []Mask) masks {
	all := masks{{regexp.MustCompile(`(?m)^(Date: ).*$`), "${1}<time>"}}
	for _, m := range list {
		why := "<" + strings.ReplaceAll(m.Why, "$", "$$") + ">"
		all = append(all, mask{regexp.MustCompile(m.Match), why})
	}
	return all
}

// cover returns text with everything replaced that may differ: what masks cover, and the folder and
// ports of the process.
func (m masks) cover(text string, v values) string {
	for _, name := range []string{"dir", "port", "port2", "port3"} {
		if v[name] != "" {
			text = strings.ReplaceAll(text, v[name], "{"+name+"}")
		}
	}
	for _, one := range m {
		text = one.match.ReplaceAllString(text, one.why)
	}
	return text
}

// length is the header line whose value differs if parts that masks cover have different lengths,
// or are compressed to different lengths.
var length = regexp.MustCompile(`(?m)^Content-Length: \d+\r?$`)

// compare returns what differs between two answers to the same request.
func (m masks) compare(request string, a, b answer, va, vb values) (all []Difference) {
	add := func(what, one, two string) {
		one, two = m.cover(one, va), m.cover(two, vb)
		if one != two {
			one, two = firstDifference(one, two)
			all = append(all, Difference{request, what, one, two})
		}
	}
	// http.ReadResponse has checked that the body has the length that the header says.
	if a.Body != b.Body && m.cover(a.Body, va) == m.cover(b.Body, vb) {
		a.Header = length.ReplaceAllString(a.Header, "Content-Length: <length>\r")
		b.Header = length.ReplaceAllString(b.Header, "Content-Length: <length>\r")
	}
	add("header", a.Header, b.Header)
	add("body", a.Body, b.Body)
	add("trailer", a.Trailer, b.Trailer)
	add("messages", strings.Join(a.Messages, "\n"), strings.Join(b.Messages, "\n"))
	add("connection", fmt.Sprintf("closes: %t", a.Closes), fmt.Sprintf("closes: %t", b.Closes))
	add("error", a.Err, b.Err)
	return all
}

// firstDifference returns the parts of two different texts where they begin to differ, with what is
// before that on the same line.
func firstDifference(a, b string) (string, string) {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	from := max(strings.LastIndexByte(a[:n], '\n')+1, n-80)
	part := func(text string) string {
		end := min(len(text), n+120)
		if i := strings.IndexByte(text[n:end], '\n'); i >= 0 {
			end = n + i
		}
		return strings.TrimSuffix(text[from:end], "\r")
	}
	return part(a), part(b)
}
