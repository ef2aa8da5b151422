package http1

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
)

// A statusError is answered with its status, and with its text in the status line.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return http.StatusText(e.code) + ": " + e.text }

var (
	errMalformed  = errors.New("malformed request") // answered with a bare 400
	errCoding     = &statusError{http.StatusNotImplemented, "unsupported transfer encoding"}
	errVersion    = &statusError{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	errNoHost     = &statusError{http.StatusBadRequest, "missing required Host header"}
	errHost       = &statusError{http.StatusBadRequest, "malformed Host header"}
	errHeaderName = &statusError{http.StatusBadRequest, "invalid header name"}
	errFields     = &statusError{http.StatusRequestHeaderFieldsTooLarge, "too many fields"}
	errEmptyLines = &statusError{http.StatusRequestHeaderFieldsTooLarge, "too many empty lines"}
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
}

// parse fills x from a complete header block. The error says how to refuse it.
func (x *exchange) parse(block string) error {
	line, rest := cutLine(block)
	if err := x.parseRequestLine(line); err != nil {
		return err
	}
	if err := x.parseFields(rest); err != nil {
		return err
	}
	r := &x.req
	h := r.Header
	hosts := h["Host"]
	if len(hosts) > 1 {
		return malformed("too many Host headers")
	}
	// RFC 9112 section 3.2.2: an absolute target decides, whatever Host says.
	if r.Host = r.URL.Host; r.Host == "" && len(hosts) == 1 {
		r.Host = hosts[0]
	}
	if x.special {
		if v := h["Pragma"]; len(v) > 0 && v[0] == "no-cache" {
			if _, ok := h["Cache-Control"]; !ok {
				h["Cache-Control"] = []string{"no-cache"}
			}
		}
		r.Close = wantsClose(r)
		if err := x.parseLength(); err != nil {
			return err
		}
	} else {
		r.Close = !r.ProtoAtLeast(1, 1)
		r.Body = http.NoBody
	}
	preface := isPreface(r)
	if preface {
		r.ContentLength = -1
		r.Close = true
		x.res.closing = true
	}
	if r.ProtoMajor != 1 && !preface && !(r.ProtoMajor == 2 && r.ProtoMinor == 0 && r.Method == "PRI" && r.RequestURI == "*") {
		return errVersion
	}
	if len(hosts) == 0 && r.ProtoAtLeast(1, 1) && !preface && r.Method != "CONNECT" {
		return errNoHost
	}
	if len(hosts) == 1 && !validHost(hosts[0]) {
		return errHost
	}
	if err := checkForm(r); err != nil {
		return err
	}
	if x.spaceInName {
		return errHeaderName
	}
	delete(h, "Host")
	return nil
}

// isPreface reports whether r is how HTTP/2 begins on a connection without TLS.
func isPreface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// validHost reports whether s is uri-host [ ":" port ] (RFC 9110 section 7.2), as far as characters,
// brackets and port go. An IPv6 address without brackets is let through, as net/http's tests want it.
func validHost(s string) bool {
	if !all(s, charHost) {
		return false
	}
	if strings.Count(s, ":") > 1 && s[0] != '[' {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return false
		}
		host, port = s[1:i], s[i+1:]
		if port != "" && port[0] != ':' {
			return false
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(s, ":")
	}
	return !strings.ContainsAny(host, "[]") && all(port, charDigit)
}

// checkForm refuses a target in a form that is another method's (RFC 9112 section 3.2).
func checkForm(r *http.Request) error {
	switch {
	case r.Method == "CONNECT" && !strings.HasPrefix(r.RequestURI, "/"):
		if port := r.URL.Port(); port == "" { // RFC 9110 section 9.3.6
			return malformed("CONNECT without a port")
		}
	case r.RequestURI == "*":
		switch r.Method { // methods that are not of RFC 9110 may have their own mind: M-SEARCH * HTTP/1.1
		case "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH":
			return malformed("target * of %s", r.Method)
		}
	case r.URL.Opaque != "" && all(r.URL.Opaque, charDigit) && strings.HasSuffix(r.RequestURI, ":"+r.URL.Opaque): // and no query
		return malformed("target %q of %s", r.RequestURI, r.Method)
	}
	return nil
}

// cutLine returns s up to its first line end, and what follows.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

func (x *exchange) parseRequestLine(line string) (err error) {
	r := &x.req
	var ok1, ok2 bool
	r.Method, line, ok1 = strings.Cut(line, " ")
	r.RequestURI, r.Proto, ok2 = strings.Cut(line, " ")
	if !ok1 || !ok2 {
		return malformed("request line")
	}
	if !isToken(r.Method) {
		return malformed("method %q", r.Method)
	}
	switch r.Proto {
	case "HTTP/1.1":
		r.ProtoMajor, r.ProtoMinor = 1, 1
	case "HTTP/1.0":
		r.ProtoMajor, r.ProtoMinor = 1, 0
	default:
		var ok bool
		if r.ProtoMajor, r.ProtoMinor, ok = http.ParseHTTPVersion(r.Proto); !ok {
			return malformed("version %q", r.Proto)
		}
	}
	r.URL, err = x.parseTarget(r.Method, r.RequestURI)
	return err
}

// parseTarget makes a URL of a request target. Most are a plain path with or without a query, and
// need no more than to be cut in two.
func (x *exchange) parseTarget(method, target string) (*url.URL, error) {
	if strings.HasPrefix(target, "/") {
		path, query, asked := strings.Cut(target, "?")
		if all(path, charPath) && all(query, charValue) && !strings.ContainsRune(query, '\t') {
			x.url.Path, x.url.RawQuery, x.url.ForceQuery = path, query, asked && query == ""
			return &x.url, nil
		}
	}
	// "CONNECT host:port" has only an authority; net/rpc sends CONNECT with a path.
	authority := method == "CONNECT" && !strings.HasPrefix(target, "/")
	if authority {
		target = "http://" + target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, malformed("target: %w", err)
	}
	if authority {
		u.Scheme = ""
	}
	return u, nil
}

// maxFieldsAhead is for how many fields room is made before they are looked at: lines are cheaper to send than
// room for them is to make (CVE-2023-24534).
const maxFieldsAhead = 128

// maxFields is how many lines of fields a header may have: within a header of the size that is allowed there could be
// hundreds of thousands, and each takes a hundred bytes of memory.
const maxFields = 1 << 14

// parseFields makes the header of the lines in s, the last of which is empty.
func (x *exchange) parseFields(s string) error {
	if s != "" && (s[0] == ' ' || s[0] == '\t') {
		return malformed("header begins with white space")
	}
	n := max(strings.Count(s, "\n")-1, 0)
	if n > maxFields {
		return errFields
	}
	n = min(n, maxFieldsAhead)
	h := make(http.Header, n)
	values := make([]string, n) // one slice, cut up: most names have one value
	for {
		var line string
		if line, s = cutLine(s); line == "" {
			break
		}
		folded := s != "" && (s[0] == ' ' || s[0] == '\t')
		if folded {
			line, s = unfold(line, s)
		} else {
			line = trimSpace(line)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return malformed("header line %q", line)
		}
		if name, ok = x.fieldName(name); !ok || !all(value, charValue) {
			return malformed("header line %q", line)
		}
		value = strings.TrimLeft(value, " \t")
		switch name {
		case "Connection", "Content-Length", "Expect", "Pragma", "Trailer", "Transfer-Encoding":
			x.special = true
		}
		if vv := h[name]; vv != nil {
			h[name] = append(vv, value)
			continue
		}
		if len(values) == 0 {
			values = make([]string, maxFieldsAhead)
		}
		vv := values[:1:1]
		values = values[1:]
		vv[0] = value
		h[name] = vv
	}
	x.req.Header = h
	return nil
}

// unfold joins a line with those that continue it (obs-fold, RFC 9112 section 5.2).
func unfold(line, s string) (joined, rest string) {
	if !strings.Contains(line, ":") {
		return "", s // a name may not be continued; without a colon it is refused
	}
	b := []byte(trimSpace(line))
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		line, s = cutLine(s)
		b = append(b, ' ')
		b = append(b, trimSpace(line)...)
	}
	return string(b), s
}

// fieldName returns the canonical form of name, and whether it may be one. A name with a
// space in it is told apart, since net/http refuses it with a text of its own.
func (x *exchange) fieldName(name string) (string, bool) {
	if all(name, charToken) {
		return textproto.CanonicalMIMEHeaderKey(name), true
	}
	if strings.Contains(name, " ") && isToken(strings.ReplaceAll(name, " ", "")) || strings.Trim(name, " ") == "" {
		x.spaceInName = true
		return name, true
	}
	return "", false
}

// first returns the first value of a field, whose name is in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// wantsClose reports whether the client wants the connection closed after this request.
func wantsClose(r *http.Request) bool {
	switch {
	case r.ProtoMajor < 1:
		return true
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		return hasToken(r.Header["Connection"], "close") || !hasToken(r.Header["Connection"], "keep-alive")
	}
	return hasToken(r.Header["Connection"], "close")
}
