package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A skipSet names fields of the handler's header that are not sent.
type skipSet uint

const (
	skipLength        skipSet = 1 << iota // Content-Length
	skipCoding                            // Transfer-Encoding
	skipType                              // Content-Type
	skipConnection                        // Connection
	skipTrailerPrefix                     // names with the prefix http.TrailerPrefix
)

func (s skipSet) has(name string) bool {
	switch name {
	case "Content-Length":
		return s&skipLength != 0
	case "Transfer-Encoding":
		return s&skipCoding != 0
	case "Content-Type":
		return s&skipType != 0
	case "Connection":
		return s&skipConnection != 0
	}
	return s&skipTrailerPrefix != 0 && strings.HasPrefix(name, http.TrailerPrefix)
}

// A field is a header field as set by the handler: one name and all its values.
type field struct {
	name   string
	values []string
}

// collect returns the fields of h sorted by name, in the worker's memory. If copied is true, it
// also copies the values, for when the handler is still running.
func (w *Worker) collect(h http.Header, copied bool) []field {
	fields, values := w.fields[:0], w.values[:0]
	for k, vv := range h {
		if copied {
			from := len(values)
			values = append(values, vv...)
			vv = values[from:len(values):len(values)]
		}
		fields = append(fields, field{k, vv})
	}
	if len(fields) > 1 {
		slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	}
	w.fields, w.values = fields, values
	return fields
}

// lookup returns the first value of a field, and whether the field exists.
func lookup(fields []field, name string) (value string, ok bool) {
	for i := range fields {
		if f := &fields[i]; f.name == name {
			if len(f.values) > 0 {
				value = f.values[0]
			}
			return value, true
		}
	}
	return "", false
}

// appendFields appends fields, and then add if that is not nil. It omits invalid names, and
// replaces line breaks in a value by spaces: what a handler copies from its input cannot become
// another field.
func appendFields(b []byte, fields []field, skip skipSet, add *extra) []byte {
	for _, f := range fields {
		if !isToken(f.name) || skip.has(f.name) {
			continue
		}
		for _, v := range f.values {
			b = append(b, f.name...)
			b = append(b, ": "...)
			b = appendValue(b, v)
			b = append(b, "\r\n"...)
		}
	}
	if add == nil {
		return b
	}
	if add.date {
		b = appendDate(b)
	}
	if add.length >= 0 {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, add.length, 10)
		b = append(b, "\r\n"...)
	}
	b = appendField(b, "Content-Type: ", add.typ)
	b = appendField(b, "Connection: ", add.connection)
	if add.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, name...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

func appendValue(b []byte, v string) []byte {
	v = trim(v, true)
	from := len(b)
	b = append(b, v...)
	for i := from; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

// appendStatus appends a status line.
func appendStatus(b []byte, is11 bool, status int) []byte {
	if is11 {
		b = append(b, "HTTP/1.1 "...)
	} else {
		b = append(b, "HTTP/1.0 "...)
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// A dateLine is a Date field, formatted once per second.
type dateLine struct {
	second int64
	line   []byte
}

var lastDate atomic.Pointer[dateLine]

// appendDate appends a Date field (RFC 9110 section 6.6.1) for the current wall clock time.
func appendDate(b []byte) []byte {
	now := time.Now()
	d := lastDate.Load()
	if s := now.Unix(); d == nil || d.second != s {
		d = &dateLine{second: s, line: append(now.UTC().AppendFormat([]byte("Date: "), http.TimeFormat), "\r\n"...)}
		lastDate.Store(d)
	}
	return append(b, d.line...)
}
