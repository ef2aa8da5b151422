package http1

import (
	"net/http"
	"strconv"
	"strings"
)

// parseLength determines the length of the body (RFC 9112 section 6.3), and sets the request's
// Body, ContentLength, TransferEncoding and Trailer.
func (x *exchange) parseLength() error {
	r := x.req
	h := r.Header
	chunked := false
	if te, ok := h["Transfer-Encoding"]; ok {
		delete(h, "Transfer-Encoding")
		switch {
		case !r.ProtoAtLeast(1, 1):
			return malformed("Transfer-Encoding in HTTP/1.0")
		case len(te) == 1 && equalFold(te[0], "chunked"):
			chunked = true
		case hasToken(te, "chunked") && !lastIsChunked(te):
			return malformed("Transfer-Encoding does not end in chunked")
		default:
			// Only one field with one coding is accepted. Clients send no other, and every more
			// liberal interpretation has been used for request smuggling.
			return errCoding
		}
	}
	length, declared, err := contentLength(h)
	if err != nil {
		return err
	}
	if chunked || !declared {
		delete(h, "Content-Length")
	}
	if chunked && declared {
		x.res.close(closeConn)
	}
	if chunked {
		if r.Trailer, err = declaredTrailer(h, x.srv.fieldLimit()); err != nil {
			return err
		}
		r.TransferEncoding = []string{"chunked"}
		length = -1
	}
	r.ContentLength = length
	if length == 0 {
		r.Body = http.NoBody
		return nil
	}
	x.body.begin(x, length)
	x.receiving.Store(true)
	x.given = new(givenBody)
	x.given.body.Store(&x.body)
	r.Body = x.given
	return nil
}

// contentLength returns the value of Content-Length, and whether the field exists.
func contentLength(h http.Header) (n int64, declared bool, err error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return 0, false, nil
	}
	v := trimSpace(values[0])
	for _, other := range values[1:] {
		if trimSpace(other) != v {
			return 0, true, malformed("several Content-Length headers")
		}
	}
	if len(values) > 1 {
		h["Content-Length"] = []string{v}
	}
	u, err := strconv.ParseUint(v, 10, 63)
	if err != nil || strings.ContainsRune(v, '_') {
		return 0, true, malformed("Content-Length")
	}
	return int64(u), true, nil
}

// declaredTrailer removes the Trailer field from h, and returns a header with the names in it.
func declaredTrailer(h http.Header, limit fieldLimit) (http.Header, error) {
	values, ok := h["Trailer"]
	if !ok {
		return nil, nil
	}
	delete(h, "Trailer")
	names := 0
	for _, v := range values {
		names += strings.Count(v, ",") + 1
	}
	if err := limit.check(names, 0); err != nil {
		return nil, err
	}
	var t http.Header
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = trimSpace(name); name == "" {
				continue
			}
			name = http.CanonicalHeaderKey(name)
			switch name {
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return nil, malformed("Trailer")
			}
			if t == nil {
				t = http.Header{}
			}
			t[name] = nil
		}
	}
	return t, nil
}

// lastIsChunked reports whether chunked is the last coding that was applied.
func lastIsChunked(te []string) bool {
	last := te[len(te)-1]
	return equalFold(trimSpace(last[strings.LastIndexByte(last, ',')+1:]), "chunked")
}
