package recycling

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
)

// A fleet is what the strategies Recycling and Pool have in common: the listeners and
// connections of a Server, and how they come to an end. Who serves a connection is its crew's.
//
// A fleet has crews as long as it has a listener or a connection, and no goroutine otherwise: a
// listener that fails leaves its connections to be served to their end, as in net/http.
type fleet struct {
	server *Server
	set    settings
	http   *http1.Server
	enlist func(f *fleet, parks bool) ([]crew, error)

	door     door
	prepared sync.Once
	hasty    atomic.Bool // it is abandoned, not drained

	refs    atomic.Int64 // calls of serve, and open connections
	opened  atomic.Int64 // connections, those of crews that have ended included
	closed  atomic.Int64
	hijacks atomic.Int64

	mu       sync.Mutex     // guards following
	parking  []crew         // for listeners with a descriptor; nil while there is nothing to do
	waiting  []crew         // for other listeners: their workers wait on their connections; likewise
	serving  sync.WaitGroup // calls of serve
	stopping bool
	shutErr  error         // the first of closing a listener because of stop, until somebody was told
	stop     chan struct{} // closed when stopping begins: serve returns
	gone     chan struct{} // closed when stopping, and refs has come to zero
}

// A crew serves connections.
type crew interface {
	conns() *park.Set
	push(*park.Conn)  // serves it
	offer(*park.Conn) // serves it, or refuses it if too many wait
	stats(*Stats)
	// end ends the workers as soon as they have nothing to do, and returns connections
	// that nobody will serve. It does not wait.
	end() []*park.Conn
}

func newFleet(s *Server, set settings, enlist func(*fleet, bool) ([]crew, error)) *fleet {
	f := &fleet{
		server: s,
		set:    set,
		http:   &http1.Server{HTTP: s.HTTP},
		enlist: enlist,
		stop:   make(chan struct{}),
		gone:   make(chan struct{}),
	}
	f.door.fleet = f
	f.http.Limits = http1.Limits{
		Requests:    set.RequestsPerConn,
		Age:         set.ConnAge,
		BodyTimeout: set.BodyTimeout,
		HealthPath:  s.HealthPath,
	}
	if set.strategy == Recycling && s.HealthPath != "" {
		f.http.Reserve = func(c *http1.Conn) bool {
			g := c.Crew.(*gang)
			return g.reserve.TrySubmit(&c.Conn) == nil
		}
	}
	f.http.Continue = func(c *http1.Conn) { c.Crew.(crew).offer(&c.Conn) }
	if set.strategy == Recycling { // elsewhere a connection keeps its worker
		f.http.Requeue = func(c *http1.Conn) { c.Crew.(*gang).requeue(&c.Conn) }
	}
	if set.ConnsPerIP > 0 {
		f.http.Enter = f.door.enter
	}
	if s.Shed != nil {
		f.http.Refuse = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.Shed.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), serverKey{}, s)))
		})
	}
	f.http.Shake = func(c *http1.Conn, b []byte) { c.Crew.(*gang).shake(hello{c, b}) }
	s.HTTP.RegisterOnShutdown(func() { f.beginShutdown() }) // for code that knows only the http.Server
	return f
}

// parkConfig is the Config of the crews' Sets.
func (f *fleet) parkConfig(parks bool) park.Config {
	c := park.Config{
		Parks:   parks,
		Full:    f.door.shut,
		Enter:   func(c *park.Conn) bool { return f.door.enter(c.Owner.(*http1.Conn)) },
		Refuse:  f.door.refuse,
		Expire:  func(c *park.Conn) { c.Owner.(*http1.Conn).Expire() },
		Removed: f.removed,
		Logf:    f.http.Logf,
	}
	f.http.Timeouts(&c)
	if idle := &c.Timeouts[park.Idle]; *idle == 0 && f.set.Conns > 0 {
		*idle = math.MaxInt64 / 4 // never, but then the set knows who has been idle for the longest time
	}
	return c
}

// newConn returns a connection that has just been accepted, or is about to be.
func (f *fleet) newConn(base *http1.Base, w crew) *http1.Conn {
	f.refs.Add(1)
	f.opened.Add(1)
	c := new(http1.Conn)
	c.Crew = w
	c.Init(base)
	return c
}

// removed counts a connection that has come to its end.
func (f *fleet) removed(c *park.Conn) {
	if c.Owner.(*http1.Conn).Hijacked() {
		f.hijacks.Add(1)
	} else {
		f.closed.Add(1)
	}
	f.door.left(c.Owner.(*http1.Conn))
	f.unref()
}

// counts returns how many connections there have been, and how many of them were closed and taken over, as of one moment: those that
// come meanwhile would seem to be open with those that they replace.
func (f *fleet) counts() (opened, closed, hijacked int64) {
	for {
		opened = f.opened.Load()
		closed, hijacked = f.closed.Load(), f.hijacks.Load()
		if f.opened.Load() == opened {
			return
		}
	}
}

// open returns how many connections are.
func (f *fleet) open() int64 {
	opened, closed, hijacked := f.counts()
	return opened - closed - hijacked
}

func (f *fleet) unref() {
	if f.refs.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	if f.refs.Load() > 0 {
		f.mu.Unlock()
		return
	}
	crews := f.crewsLocked()
	f.parking, f.waiting = nil, nil
	if f.stopping {
		f.setGoneLocked()
	}
	f.mu.Unlock()
	for _, w := range crews {
		w.end()
		w.conns().Close()
	}
}

func (f *fleet) crewsLocked() []crew { return slices.Concat(f.parking, f.waiting) }

func (f *fleet) allCrews() []crew {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crewsLocked()
}

func (f *fleet) setGoneLocked() {
	select {
	case <-f.gone:
	default:
		close(f.gone)
	}
}

// begin counts a call of serve, and returns the crews for a listener with or without a descriptor.
func (f *fleet) begin(parks bool) ([]crew, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return nil, http.ErrServerClosed
	}
	crews := &f.waiting
	if parks {
		crews = &f.parking
	}
	if *crews == nil {
		made, err := f.enlist(f, parks)
		if err != nil {
			return nil, err
		}
		*crews = made
	}
	f.serving.Add(1)
	f.refs.Add(1)
	return *crews, nil
}

func (f *fleet) serve(l net.Listener) error {
	f.prepared.Do(f.prepare)
	return f.accept(l, serving{})
}

func (f *fleet) serveTLS(l net.Listener, certFile, keyFile string) error {
	config, err := f.tlsConfig(certFile, keyFile)
	if err != nil {
		l.Close()
		return err
	}
	return f.accept(l, serving{tls: config})
}

// A serving says how a listener is served.
type serving struct {
	tls   *tls.Config     // nil: without TLS
	under *under          // gets what is not HTTP/1; nil: the http.Server's functions for other protocols do
	base  context.Context // what BaseContext has returned; nil: it was not called yet
}

// accept serves what comes from l until the end.
func (f *fleet) accept(l net.Listener, how serving) error {
	shut := sync.OnceFunc(func() { f.shut(l) })
	defer shut()
	f.http.Prepare()
	raw, parks := (*listener.Raw)(nil), false
	if f.set.strategy == Recycling && park.Supported {
		raw, parks = listener.NewRaw(l)
	}
	if how.tls != nil && !parks {
		l = tls.NewListener(l, how.tls)
	}
	base := &http1.Base{Server: f.http, Delegate: f.delegate}
	if how.base == nil {
		how.base = baseContext(f.server.HTTP.BaseContext, l)
	}
	base.Context = context.WithValue(how.base, serverKey{}, f.server)
	if parks {
		base.TLS = how.tls
	}
	if how.under != nil {
		base.Delegate = how.under.hand
	}
	crews, err := f.begin(parks)
	if err != nil {
		return err
	}
	defer f.unref()
	defer f.serving.Done()
	if parks {
		return f.acceptRaw(raw, l, shut, crews, base)
	}
	return f.acceptEach(l, shut, crews, base)
}

// shut closes l, for good.
func (f *fleet) shut(l net.Listener) {
	err := l.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping && f.shutErr == nil {
		f.shutErr = err
	}
}

// baseContext is what an http.Server's BaseContext returns for l, or what it is without one.
func baseContext(f func(net.Listener) context.Context, l net.Listener) context.Context {
	if f == nil {
		return context.Background()
	}
	ctx := f(l)
	if ctx == nil {
		panic("BaseContext returned a nil context")
	}
	return ctx
}

func (f *fleet) setKeepAlivesEnabled(v bool) {
	f.http.SetKeepAlivesEnabled(v)
	f.server.HTTP.SetKeepAlivesEnabled(v)
	if v {
		return
	}
	for _, w := range f.allCrews() {
		w.conns().Each(func(c *park.Conn) { f.drain(w, c) })
	}
}

func (f *fleet) stats() Stats {
	d := &f.door
	opened, closed, hijacked := f.counts()
	s := Stats{
		Strategy:  f.set.strategy,
		Open:      opened - closed - hijacked,
		Accepted:  opened,
		Closed:    closed,
		Hijacked:  hijacked,
		ShedConns: d.shedConns.Load(),
		ShedPerIP: d.shedPerIP.Load(),
		Evicted:   d.evicted.Load(),
		Held:      d.held.Load(),
		Retired:   f.http.Retired.Load(),
		Requests:  f.http.Requests.Load(),
		Limits:    f.set.Limits,
	}
	for _, w := range f.allCrews() {
		w.stats(&s)
		w.conns().Each(func(c *park.Conn) {
			if c.Parked() {
				s.Parked++
			}
		})
	}
	s.Shed = s.ShedConns + s.ShedPerIP + s.ShedQueue
	return s
}
