package longrun

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/recycling-go/recycling/bench/internal/places"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/listener"
)

// The names of the servers, in the order of the table.
const (
	one       = "one"
	recycled  = "recycling"
	goroutine = "goroutine"
	pooled    = "fixed"
	patient   = "waiting"
	offloaded = "offload"
	processes = "process"
)

// servers are the names of all servers; the last ones are those of places.
var servers = append([]string{one, recycled, goroutine, pooled, patient, offloaded, processes}, places.Names()...)

// Servers returns the names of the servers, in the order of the table. The last one needs network
// namespaces.
func Servers() []string { return slices.Clone(servers) }

// done is the response to a request whose task has done all of its work.
const done = "done\n"

// patience is how long a server may take to shut down.
const patience = 10 * time.Second

// A server has the methods that http.Server and recycling.Server share.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// A contestant is a server that runs one task for each request. It must be stopped.
type contestant struct {
	url     string
	server  server
	cancel  context.CancelFunc // ends the contexts of requests
	served  chan error         // receives the error of Serve
	release func()             // releases what the handler uses, after the server has ended
}

// start starts the named server.
func start(ctx context.Context, name string, t task, w *worker, c Config) (*contestant, error) {
	s := &contestant{served: make(chan error, 1), release: func() {}}
	h, err := s.handler(ctx, name, t, w, c)
	if err != nil {
		return nil, err
	}
	base, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: h, BaseContext: func(net.Listener) context.Context { return base }}
	l, err := s.listen(ctx, name, srv, c)
	if err != nil {
		cancel()
		s.release()
		return nil, err
	}
	s.url = "http://" + l.Addr().String() + "/"
	go s.serve(l)
	return s, nil
}

func (s *contestant) serve(l net.Listener) { s.served <- s.server.Serve(l) }

// handler returns the handler that runs the task: directly, with the bound of offload, in a child
// process, or in a place.
func (s *contestant) handler(ctx context.Context, name string, t task, w *worker, c Config) (http.Handler, error) {
	if p, ok := placeNamed(name); ok {
		return s.inPlace(ctx, p, t, w, c)
	}
	here := answer(func(ctx context.Context) error { return t.do(w, ctx) })
	switch name {
	case patient:
		return answer(func(ctx context.Context) error { return t.do(w, allowWaiting(ctx)) }), nil
	case offloaded:
		p, err := offload.New(bounds(c))
		if err != nil {
			return nil, err
		}
		s.release = func() { p.Close(); <-p.Done() }
		return p.Middleware(here), nil
	case processes:
		children, err := startWorkers(ctx, w.setup, c)
		if err != nil {
			return nil, err
		}
		s.release = func() { children.Close(); <-children.Done() }
		return answer(func(ctx context.Context) error {
			_, err := offload.Use(ctx, children, func(ctx context.Context, p *child.Process) ([]byte, error) {
				return p.Call(ctx, []byte(t.name))
			})
			return err
		}), nil
	}
	return here, nil
}

// bounds returns the configuration of offload, process and the places: no request is refused or
// times out while it waits.
func bounds(c Config) offload.Config {
	return offload.Config{Workers: c.Workers, Queue: c.Clients, Wait: -1}
}

// answer returns a handler that calls run, and then responds that the work is done, or responds 500
// with the error.
func answer(run func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := run(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, done)
	})
}

// listen makes the server, and the listening socket that an application of it would have.
func (s *contestant) listen(ctx context.Context, name string, srv *http.Server, c Config) (net.Listener, error) {
	ours := &recycling.Server{HTTP: srv, Strategy: recycling.Recycling}
	switch name {
	case goroutine:
		s.server = srv
		return net.Listen("tcp", srv.Addr)
	case one:
		ours.MaxWorkers, ours.Standby = 1, 1
	case patient:
		ours.MaxWorkers, ours.Standby = c.Workers, min(c.Workers, 2)
	case pooled:
		// A client's next connection may arrive before the worker has finished with its last one.
		ours.Strategy, ours.MaxWorkers, ours.MaxQueue = recycling.Fixed, c.Clients, 2*c.Clients
	}
	s.server = ours
	return listener.Listen(ctx, "tcp", srv.Addr)
}

// stop stops the server and everything that belongs to it. Requests in flight are abandoned.
func (s *contestant) stop() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	if e := <-s.served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	s.release()
	return err
}
