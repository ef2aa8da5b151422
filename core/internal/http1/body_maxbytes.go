package http1

import (
	"net/http"
	"reflect"

	"github.com/recycling-go/recycling/core/internal/gohttp"
	"github.com/recycling-go/recycling/core/internal/stack"
)

// When an http.MaxBytesReader finds a body too large, net/http closes the connection after the
// response. The reader tells net/http's own ResponseWriter by a method that only package net/http
// can implement. This file is how another server finds out.

// overMaxBytes reports whether an http.MaxBytesReader with this ResponseWriter has found the body
// too large.
//
// The reader that the handler has left in Request.Body is inspected directly, unless another
// goroutine is reading it. For any other reader, such as that of http.MaxBytesHandler, all that is
// known is how it last called body.Read.
func (x *exchange) overMaxBytes() bool {
	if x.body.x == nil {
		return false // there is no body
	}
	// If TryLock fails, another goroutine is reading.
	if reflect.TypeOf(x.req.Body) == maxBytesReader && x.body.mu.TryLock() {
		x.body.mu.Unlock()
		over, exact := x.limitsOf(reflect.ValueOf(x.req.Body))
		if over || exact {
			return over
		}
	}
	return x.body.byMaxBytes.Load()
}

// noteMaxBytes does what an http.MaxBytesReader makes net/http's ResponseWriter do.
func (w *response) noteMaxBytes() {
	if w.x.overMaxBytes() {
		w.close(lingerConn)
		if gohttp.LimitSetsNoField {
			return
		}
		if w.header == nil {
			w.header = make(http.Header)
		}
		w.header.Set("Connection", "close")
	}
}

var (
	maxBytesReader = reflect.TypeOf(http.MaxBytesReader(nil, nil, 0))
	maxBytesError  = reflect.TypeFor[*http.MaxBytesError]()
)

// limitsOf inspects an http.MaxBytesReader and those nested in it. If exact is true, there is
// nothing else between them and the body.
func (x *exchange) limitsOf(v reflect.Value) (over, exact bool) {
	for v.Type() == maxBytesReader {
		err, w, r := v.Elem().FieldByName("err"), v.Elem().FieldByName("w"), v.Elem().FieldByName("r")
		for _, f := range []reflect.Value{err, w, r} {
			if !f.IsValid() || f.Kind() != reflect.Interface {
				return false, false // another version of net/http
			}
		}
		if !err.IsNil() && err.Elem().Type() == maxBytesError && points(w, x.res) {
			return true, true
		}
		if r.IsNil() {
			return false, false
		}
		v = r.Elem()
	}
	return false, v.Kind() == reflect.Pointer && v.UnsafePointer() == reflect.ValueOf(x.given).UnsafePointer()
}

// points reports whether the interface in v holds p.
func points(v reflect.Value, p *response) bool {
	if v.IsNil() {
		return false
	}
	e := v.Elem()
	return e.Type() == reflect.TypeOf(p) && e.UnsafePointer() == reflect.ValueOf(p).UnsafePointer()
}

// calledByLimit reports whether the caller of body.Read is an http.MaxBytesReader. Such a reader
// asks for one byte more than its limit, and shortens its caller's buffer accordingly. If it gets
// that byte, the limit is exceeded. An io.LimitedReader around it shortens buffers too, and mostly
// has the lower limit.
//
// This is a heuristic. It is wrong if the buffer happened to have that length, or if the caller
// shortened it. Then a connection stays open that net/http would close, or the reverse. Neither
// case confuses one request with another.
func calledByLimit() bool {
	return stack.CalledByLimit(2) // Read of body, and of givenBody
}

// sendsBody reports whether a client that expects "100 Continue" certainly sends its body: it has
// received "100 Continue", or the whole body has arrived. As in net/http this matters only if the
// handler has replaced Request.Body. Otherwise the handler would have read to the end if it cared.
func (x *exchange) sendsBody() bool {
	return x.req.Body != x.given && (x.res.continued || x.body.buffered())
}
