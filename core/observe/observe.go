// Package observe measures requests and connections. An [Observer] is told about each of them. A
// [Recorder] is an Observer that keeps histograms by route, and the requests in flight.
//
//	rec := observe.NewRecorder()
//	err := recycling.Serve(router, func(s *recycling.Server) { s.Observer = rec })
//
// The server measures times once, for all Observers. The modules adapters/prometheus, adapters/otel
// and adapters/status are built on this package.
//
// With a Recorder, a request needs two more readings of the clock if its response is sent by one
// write, otherwise three, and no allocation. The leader reads the clock once for each batch of
// connections.
package observe

import (
	"context"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
	"github.com/recycling-go/recycling/core/internal/route"
)

// An Observer is told about the requests and connections of a server. Its methods are called
// concurrently, by the goroutines that serve and accept, so they must be fast, must not wait for
// anything, and must not call [runtime.Goexit], as the FailNow method of a test does. They may call
// Stats of the server, but not Shutdown or Close, which wait. If RequestStart or RequestEnd panics,
// the connection is closed; if Conn panics, that is logged.
type Observer interface {
	// RequestStart is called just before the handler is.
	RequestStart(*Request)

	// RequestEnd is called once for each RequestStart, when the response has been sent, when a
	// handler that has hijacked the connection has returned, or when the response was cut off.
	RequestEnd(*Request)

	// Conn is called when something happens to a connection.
	Conn(ConnEvent)
}

// A Request describes a request to an [Observer]. It is valid from RequestStart until RequestEnd
// has returned, and is then used for another request. Only RequestEnd may read the fields from
// Route on.
type Request struct {
	HTTP       *http.Request // as passed to the handler, which may change it
	Method     string
	Path       string // of the URL, decoded
	RemoteAddr string // as in http.Request

	// These are as they were received, even if the handler changes HTTP.
	TLS                    bool  // over TLS
	ProtoMajor, ProtoMinor int   // 1 and 1 for HTTP/1.1
	ContentLength          int64 // of the request; zero if it has no body, -1 if unknown

	// Start is when the handler was called: see [Time].
	Start time.Duration

	// Queued is how long the request has waited for a worker: from the moment at which the server
	// knew that its last byte was readable until Start. The resolution is a microsecond. It is zero
	// if the worker was waiting for the request, for HTTP/2, and under net/http.
	Queued time.Duration

	// Route is the pattern of the route that has served the request: what [SetRoute] was given, or
	// the Pattern that an [http.ServeMux] has set, or empty.
	Route string

	Status  int   // zero if the handler has hijacked the connection or was cut off first
	Written int64 // bytes of the response's body

	// FirstByte is the time from Start until the first bytes of the response had been passed to the
	// kernel, or for HTTP/2 to package net/http. It is zero if there were none.
	FirstByte time.Duration

	// Duration is the time from Start until the response was passed to the kernel.
	Duration time.Duration

	// Outcome says how the request ended.
	Outcome Outcome

	links // in the Recorder
}

// An Outcome says how a request ended.
type Outcome uint8

const (
	Completed Outcome = iota // the whole response was sent
	Aborted                  // the handler panicked, or the client did not get the whole response
	Hijacked                 // the handler took over the connection
)

func (o Outcome) String() string {
	switch o {
	case Completed:
		return "completed"
	case Aborted:
		return "aborted"
	case Hijacked:
		return "hijacked"
	}
	return "unknown"
}

// A ConnEvent is something that has happened to a connection.
type ConnEvent struct {
	Kind       ConnKind
	Reason     Reason        // of Refused and Evicted; otherwise empty
	RemoteAddr string        // empty if the connection does not park
	Time       time.Duration // see [Time]
}

// A ConnKind is a kind of [ConnEvent].
type ConnKind uint8

const (
	Accepted ConnKind = iota // it may be refused later
	Refused                  // with a 503 response: see Reason
	Evicted                  // closed to make room: see Reason. Closed follows
	Taken                    // hijacked by a handler, or passed to net/http for another protocol
	Closed
)

func (k ConnKind) String() string {
	switch k {
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	case Evicted:
		return "evicted"
	case Taken:
		return "taken"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// A Reason is the name of the limit that a connection has hit.
type Reason string

const (
	MaxConns      Reason = "MaxConns"
	MaxConnsPerIP Reason = "MaxConnsPerIP"
	MaxQueue      Reason = "MaxQueue"
	QueueWait     Reason = "QueueWait"
	Descriptors   Reason = "descriptors" // of the process
)

// Now returns the time since the program began, by the monotonic clock.
func Now() time.Duration { return time.Duration(clock.Now()) }

// Time returns the time that a field such as Request.Start denotes.
func Time(d time.Duration) time.Time { return clock.Time(int64(d)) }

// SetRoute sets the pattern of the route that serves the request with this context, such as
// "/users/{id}". It is for routers that do not set the Pattern of the http.Request; the adapters
// for chi, echo and gin call it. It has no effect on a request that is not observed, or after the
// handler has returned. The number of different patterns should be bounded: do not pass paths.
func SetRoute(ctx context.Context, pattern string) {
	if r, ok := ctx.Value(route.Key{}).(route.Setter); ok {
		r.SetRoute(pattern)
	}
}

// Observed reports whether SetRoute has an effect on the request with this context.
func Observed(ctx context.Context) bool {
	_, ok := ctx.Value(route.Key{}).(route.Setter)
	return ok
}

// Patterns returns a handler that calls h, such as an [http.ServeMux], and then SetRoute with the
// Pattern that h has set. Middleware that passes on a copy of the request, such as otelhttp, must
// call it instead of h; otherwise the server cannot see the Pattern.
func Patterns(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if r.Pattern != "" {
				SetRoute(r.Context(), r.Pattern)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// Observers returns an Observer that passes everything on to all of list, even if one of them
// panics. Nil elements are left out. If no element remains, Observers returns nil.
func Observers(list ...Observer) Observer {
	var all observers
	for _, o := range list {
		if o != nil {
			all = append(all, o)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

type observers []Observer

func (all observers) RequestStart(r *Request) { all.each(func(o Observer) { o.RequestStart(r) }) }
func (all observers) RequestEnd(r *Request)   { all.each(func(o Observer) { o.RequestEnd(r) }) }
func (all observers) Conn(e ConnEvent)        { all.each(func(o Observer) { o.Conn(e) }) }

// each calls f for all. If a call panics, it calls f for the rest before the panic goes on: an
// Observer that has got RequestStart must also get RequestEnd.
func (all observers) each(f func(Observer)) {
	i := 0
	defer func() {
		if i < len(all) {
			all[i+1:].each(f)
		}
	}()
	for ; i < len(all); i++ {
		f(all[i])
	}
}

// RecorderIn returns o if that is a [Recorder], the first Recorder in o if [Observers] has returned
// o, or nil if there is none. Adapters use it to share a Recorder.
func RecorderIn(o Observer) *Recorder {
	switch o := o.(type) {
	case *Recorder:
		return o
	case observers:
		for _, o := range o {
			if rec := RecorderIn(o); rec != nil {
				return rec
			}
		}
	}
	return nil
}
