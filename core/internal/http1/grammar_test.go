package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// header matches a header block: lines that end in LF or CRLF, the last of which is empty.
var (
	header      = regexp.MustCompile(`^(?s:.*?\n)\r?\n`)
	emptyLine   = regexp.MustCompile(`\r?\n$`)
	emptyLines  = regexp.MustCompile(`^(?:\r?\n)*`)
	keepAlive   = regexp.MustCompile(`(?i)(\nConnection:(?:[^\n]|\n[ \t])*)keep-alive`)
	lengthField = regexp.MustCompile(`(?i)\nContent-Length:`)
)

// refusable reports whether a header block has one of the faults in the table of package http1's
// comment.
func refusable(block string) bool {
	line, h, ok := splitBlock(block)
	if !ok {
		return false
	}
	method, target, proto := line[0], line[1], line[2]
	if te, ok := h["Transfer-Encoding"]; ok {
		if oldVersion.MatchString(proto) || inList(te, "chunked") && !lastChunked.MatchString(te[len(te)-1]) {
			return true
		}
	}
	if v := h["Host"]; len(v) == 1 && !uriHost.MatchString(v[0]) {
		if _, err := netip.ParseAddr(v[0]); err != nil {
			return true
		}
	}
	switch {
	case method == "CONNECT":
		return !strings.HasPrefix(target, "/") && !withPort.MatchString(target)
	case target == "*":
		return standardMethod.MatchString(method)
	}
	return authorityForm.MatchString(target)
}

// splitBlock returns the parts of the request line, and the header, of a well-formed block.
func splitBlock(block string) (line [3]string, h http.Header, ok bool) {
	first, rest, _ := strings.Cut(block, "\n")
	parts := strings.Split(strings.TrimSuffix(first, "\r"), " ")
	fields, err := textproto.NewReader(bufio.NewReader(strings.NewReader(rest))).ReadMIMEHeader()
	if len(parts) != 3 || err != nil {
		return line, nil, false
	}
	return [3]string(parts), http.Header(fields), true
}

var (
	lastChunked    = regexp.MustCompile(`(?i)(?:^|,)[ \t]*chunked[ \t]*$`)
	oldVersion     = regexp.MustCompile(`^HTTP/(?:0\.[0-9]|1\.0)$`)
	uriHost        = regexp.MustCompile(`^(?:\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]*)?$`)
	withPort       = regexp.MustCompile(`^[^/?#]*:[0-9]+(?:[/?#]|$)`)
	standardMethod = regexp.MustCompile(`^(?:GET|HEAD|POST|PUT|DELETE|TRACE|PATCH)$`)
	authorityForm  = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z+.-]*:[0-9]+$`)
)

// loose reports whether net/http finds close or keep-alive in Connection, or 100-continue in
// Expect, where it is not an element of the list, for example between two spaces. net/http also
// looks for keep-alive only in the first of several fields. The engine parses lists strictly, so
// that what follows cannot be compared.
func loose(proto string, h http.Header) bool {
	connection, expect := h["Connection"], h["Expect"]
	return inWords(connection, "close") && !inList(connection, "close") ||
		proto == "HTTP/1.0" && inWords(connection, "keep-alive") != inList(connection, "keep-alive") ||
		len(expect) > 0 && inWords(expect, "100-continue") != inList(expect[:1], "100-continue")
}

// inWords reports whether the first of values contains word as a separate word.
func inWords(values []string, word string) bool {
	return len(values) > 0 && slices.ContainsFunc(strings.FieldsFunc(values[0], func(c rune) bool { return c == ' ' || c == '\t' || c == ',' }),
		func(f string) bool { return foldASCII(f) == word })
}

// inList reports whether word is an element of the lists in values.
func inList(values []string, word string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(values, ","), ","),
		func(e string) bool { return foldASCII(strings.Trim(e, " \t")) == word })
}

// foldASCII is strings.ToLower for ASCII. Some letters outside of ASCII have a lower case form in
// ASCII.
func foldASCII(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 }) {
		return s
	}
	return strings.ToLower(s)
}

// chunkLine matches the grammar of RFC 9112 section 7.1, with bytes as runes, but also allows white
// space before CRLF, which both servers accept.
var chunkLine = regexp.MustCompile(`^([0-9A-Fa-f]+)(?:` + bws + `;` + bws + token +
	`(?:` + bws + `=` + bws + `(?:` + token + `|` + quoted + `))?)*` + bws + `\r\n$`)

const (
	bws    = `[ \t]*`
	token  = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	quoted = `"(?:[\t !#-\[\]-~\x{80}-\x{ff}]|\\[\t -~\x{80}-\x{ff}])*"`
)

// latin1 returns b with each byte as a rune.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

// spaceInName matches a field whose name has white space in or after it.
var spaceInName = regexp.MustCompile(`^[^ \t:][^:]*[ \t][^:]*:`)

// chunkedLen returns the length of the chunked body at the beginning of b, including its trailer.
// It reports a fault if the body violates the grammar, but not if the end is missing.
func chunkedLen(b []byte) (n int, fault bool) {
	n, ended, fault := chunksLen(b)
	for ended && !fault {
		end := bytes.IndexByte(b[n:], '\n')
		switch {
		case end < 0:
			return len(b), false
		case end == 0 || b[n+end-1] != '\r', spaceInName.Match(b[n : n+end]):
			return 0, true
		}
		n += end + 1
		if end == 1 {
			break
		}
	}
	return n, fault
}

// chunksLen is chunkedLen without the trailer. ended reports whether there is a last chunk.
func chunksLen(b []byte) (n int, ended, fault bool) {
	for {
		line := b[n:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			return len(b), false, false
		}
		line = line[:end+1]
		m := chunkLine.FindStringSubmatch(latin1(line))
		if m == nil {
			return 0, false, true
		}
		n += len(line)
		if strings.Trim(m[1], "0") == "" {
			return n, true, false
		}
		size, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil || size >= uint64(len(b)-n) {
			// Both servers detect a number that is too large.
			return len(b), false, false
		}
		n += int(size)
		switch rest := b[n:]; {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			n += 2
		case string(rest) == "\r":
			return len(b), false, false
		default:
			return 0, false, true
		}
	}
}
