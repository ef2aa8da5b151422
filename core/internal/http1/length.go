package http1

import (
	"net/http"
	"strconv"
	"strings"
)

// parseLength finds out how long the body is (RFC 9112 section 6.3), and gives the request
// its Body, ContentLength, TransferEncoding and Trailer.
func (x *exchange) parseLength() error {
	r := &x.req
	h := r.Header
	chunked := false
	if te, ok := h["Transfer-Encoding"]; ok {
		delete(h, "Transfer-Encoding")
		switch {
		case !r.ProtoAtLeast(1, 1):
			return malformed("Transfer-Encoding in %s", r.Proto)
		case len(te) == 1 && equalFold(te[0], "chunked"):
			chunked = true
		case hasToken(te, "chunked") && !lastIsChunked(te):
			return malformed("Transfer-Encoding %q", te)
		default:
			// One field, one coding: there is no other that a client would send, and every
			// reading but this one has been used to smuggle requests.
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
		x.res.closing = true
	}
	if chunked {
		if r.Trailer, err = declaredTrailer(h); err != nil {
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
	r.Body = &x.body
	return nil
}

// contentLength returns the value of Content-Length, and whether there is one.
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
		return 0, true, malformed("Content-Length %q", v)
	}
	return int64(u), true, nil
}

// declaredTrailer takes the names in the Trailer header out of h.
func declaredTrailer(h http.Header) (http.Header, error) {
	values, ok := h["Trailer"]
	if !ok {
		return nil, nil
	}
	delete(h, "Trailer")
	var t http.Header
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = trimSpace(name); name == "" {
				continue
			}
			name = http.CanonicalHeaderKey(name)
			switch name {
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return nil, malformed("trailer %q", name)
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
