package http1

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A statusError is an error that determines the status of the response and the text in its status
// line.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return http.StatusText(e.code) + ": " + e.text }

var (
	errMalformed  = errors.New("malformed request") // results in a plain 400
	errCoding     = &statusError{http.StatusNotImplemented, "unsupported transfer encoding"}
	errVersion    = &statusError{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	errNoHost     = &statusError{http.StatusBadRequest, "missing required Host header"}
	errHost       = &statusError{http.StatusBadRequest, "malformed Host header"}
	errHeaderName = &statusError{http.StatusBadRequest, "invalid header name"}
	errFields     = &statusError{http.StatusRequestHeaderFieldsTooLarge, "too many fields"}
	// errValues results in a plain 431, without this text.
	errValues     = errors.New("too many fields for MaxHeaderValueCount")
	errEmptyLines = &statusError{http.StatusRequestHeaderFieldsTooLarge, "too many empty lines"}
)

// malformed returns an error that wraps errMalformed. It does not quote the request, which may be
// long: nobody reads the text.
func malformed(what string) error { return fmt.Errorf("%w: %s", errMalformed, what) }

// parse fills x from a complete header block. The error says how to reject the request. No string
// of the request is a substring of another one unless it is in net/http as well, so that a string
// that an application keeps holds no more memory than its own.
func (x *exchange) parse(block []byte) error {
	line, rest := cutLine(block)
	if err := x.parseRequestLine(line); err != nil {
		return err
	}
	h, err := x.parseFields(rest, x.srv.fieldLimit())
	if err != nil {
		return err
	}
	r := x.req
	r.Header = h
	if x.hosts > 1 {
		return malformed("too many Host headers")
	}
	// RFC 9112 section 3.2.2: an absolute target takes precedence over Host.
	if r.Host = r.URL.Host; r.Host == "" {
		r.Host = x.host
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
	preface := x.hosts == 0 && isPreface(r)
	if preface {
		r.ContentLength = -1
		r.Close = true
		x.res.close(closeConn)
	}
	if r.ProtoMajor != 1 && !preface && !(r.ProtoMajor == 2 && r.ProtoMinor == 0 && r.Method == "PRI" && r.RequestURI == "*") {
		return errVersion
	}
	if x.hosts == 0 && r.ProtoAtLeast(1, 1) && !preface && r.Method != "CONNECT" {
		return errNoHost
	}
	if x.hosts == 1 && !x.worker.cache.validHost(x.host) {
		return errHost
	}
	if err := checkForm(r); err != nil {
		return err
	}
	if x.spaceInName {
		return errHeaderName
	}
	return nil
}

// isPreface reports whether r, which has no Host, is the HTTP/2 preface on a connection without
// TLS.
func isPreface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// validHost reports whether s is uri-host [ ":" port ] (RFC 9110 section 7.2), judged by its
// characters, brackets and port. It accepts an IPv6 address without brackets, because tests of
// net/http require it.
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

// checkForm rejects a target in a form that is reserved for another method (RFC 9112 section 3.2).
func checkForm(r *http.Request) error {
	switch {
	case r.Method == "CONNECT" && !strings.HasPrefix(r.RequestURI, "/"):
		if port := r.URL.Port(); port == "" { // RFC 9110 section 9.3.6
			return malformed("CONNECT without a port")
		}
	case r.RequestURI == "*":
		// Methods outside of RFC 9110 may use "*" for their own purposes: M-SEARCH * HTTP/1.1
		switch r.Method {
		case "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH":
			return malformed("target * without OPTIONS")
		}
	// The suffix also rules out a query.
	case r.URL.Opaque != "" && all(r.URL.Opaque, charDigit) && strings.HasSuffix(r.RequestURI, ":"+r.URL.Opaque):
		return malformed("authority-form without CONNECT")
	}
	return nil
}

// cutLine returns b up to its first line end, and the rest.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = cutByte(b, '\n')
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

// cutByte is bytes.Cut for a single byte.
func cutByte(b []byte, sep byte) (before, after []byte, found bool) {
	if i := bytes.IndexByte(b, sep); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

var newline = []byte("\n")

func (x *exchange) parseRequestLine(b []byte) (err error) {
	r := x.req
	method, rest, ok1 := cutByte(b, ' ')
	target, proto, ok2 := cutByte(rest, ' ')
	if !ok1 || !ok2 {
		return malformed("request line")
	}
	if r.Method = knownMethod(method); r.Method == "" {
		if len(method) == 0 || !all(method, charToken) {
			return malformed("method")
		}
		r.Method = x.text(method)
	}
	switch string(proto) {
	case "HTTP/1.1":
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	case "HTTP/1.0":
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
	default:
		var ok bool
		r.Proto = string(proto)
		if r.ProtoMajor, r.ProtoMinor, ok = http.ParseHTTPVersion(r.Proto); !ok {
			return malformed("version")
		}
	}
	if bytes.IndexByte(target, '?') >= 0 {
		// Queries rarely repeat, and may contain secrets.
		r.RequestURI = string(target)
	} else {
		r.RequestURI = x.text(target)
	}
	r.URL, err = parseTarget(r.Method, r.RequestURI)
	return err
}

// text returns b as a string that is not a substring of another one. It may be a string that an
// earlier request had.
func (x *exchange) text(b []byte) string {
	if x.worker == nil {
		return string(b)
	}
	return x.worker.cache.text(b)
}

// knownMethod returns b as a string if it is a method of RFC 9110 or RFC 5789, and otherwise "".
func knownMethod(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "CONNECT":
		return "CONNECT"
	case "OPTIONS":
		return "OPTIONS"
	case "TRACE":
		return "TRACE"
	case "PATCH":
		return "PATCH"
	}
	return ""
}

// parseTarget parses a request target. Most targets are a plain path with or without a query, and
// only need to be split in two.
func parseTarget(method, target string) (*url.URL, error) {
	if strings.HasPrefix(target, "/") {
		path, query, asked := strings.Cut(target, "?")
		if all(path, charPath) && all(query, charValue) && !strings.ContainsRune(query, '\t') {
			return &url.URL{Path: path, RawQuery: query, ForceQuery: asked && query == ""}, nil
		}
	}
	// "CONNECT host:port" has only an authority. net/rpc sends CONNECT with a path.
	authority := method == "CONNECT" && !strings.HasPrefix(target, "/")
	if authority {
		target = "http://" + target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, malformed("target")
	}
	if authority {
		u.Scheme = ""
	}
	return u, nil
}

// first returns the first value of a field. name must be in canonical form.
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
