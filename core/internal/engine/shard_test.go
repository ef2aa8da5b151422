package engine

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
)

// A crowd is an Engine with four shards, whose handler waits until let go. If connections park,
// each shard has a listener of its own.
type crowd struct {
	*Engine
	schedulers []scheduler
	listeners  []net.Listener // of each shard; nil if connections do not park
	config     *http1.ListenerConfig
	entered    chan bool
	let        chan bool
	answered   chan error
}

// newCrowd returns a crowd with at most workers workers. It changes GOMAXPROCS until the test ends.
func newCrowd(t *testing.T, parks bool, workers, standby int) *crowd {
	procs := runtime.GOMAXPROCS(16)
	t.Cleanup(func() { runtime.GOMAXPROCS(procs) })
	c := &crowd{entered: make(chan bool, 10_000), let: make(chan bool), answered: make(chan error, 10_000)}
	c.Engine = New(Config{
		HTTP: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			c.entered <- true
			<-c.let
		})},
		Context: func(ctx context.Context) context.Context { return ctx },
		Workers: workers,
		Standby: standby,
	})
	c.http.Prepare()
	var err error
	if c.schedulers, err = c.beginServe(parks); err != nil {
		t.Fatal(err)
	}
	if n := len(c.schedulers); n != 4 {
		t.Fatalf("%d shards, want 4 for 16 processors", n)
	}
	c.config = &http1.ListenerConfig{Server: c.http, Context: context.Background()}
	var stopListening []func()
	if parks {
		for _, s := range c.schedulers {
			stopListening = append(stopListening, c.listen(t, s))
		}
	}
	t.Cleanup(func() {
		for _, f := range stopListening {
			f()
		}
		close(c.let)
		c.serving.Done()
		c.unref()
		c.Close()
	})
	return c
}

// listen has a shard accept from a listener of its own, and returns a function that ends that.
func (c *crowd) listen(t *testing.T, s scheduler) (stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := listener.NewRaw(l)
	if !ok {
		t.Fatal("a TCP listener has no descriptor")
	}
	newConn := func(*listener.Addr) *park.Conn { return &c.newConn(c.config, s).Conn }
	if err := s.conns().Listen(raw, false, newConn, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	c.listeners = append(c.listeners, l)
	return func() {
		s.conns().Unlisten(raw)
		l.Close()
	}
}

// connect opens a connection to a shard, and returns the client's side.
func (c *crowd) connect(t *testing.T, shard int) net.Conn {
	if c.listeners == nil {
		client, server := net.Pipe()
		c.receive(server, c.schedulers[shard], c.config)
		return client
	}
	client, err := net.Dial("tcp", c.listeners[shard].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// send sends n requests to a shard, each on a connection of its own.
func (c *crowd) send(t *testing.T, shard, n int) {
	for range n {
		client := c.connect(t, shard)
		go func() {
			defer client.Close()
			client.Write([]byte("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err == nil {
				res.Body.Close()
			}
			c.answered <- err
		}()
	}
}

// enter waits for n requests to reach the handler.
func (c *crowd) enter(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-c.entered:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d requests have reached the handler: %+v", i, n, c.Stats())
		}
	}
}

// letGo has n handlers return, and waits for the responses.
func (c *crowd) letGo(t *testing.T, n int) {
	t.Helper()
	for range n {
		c.let <- true
	}
	for range n {
		select {
		case err := <-c.answered:
			if err != nil {
				t.Errorf("no response: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("a response is missing: %+v", c.Stats())
		}
	}
}

// await waits until the counters are as wanted.
func (c *crowd) await(t *testing.T, what string, ok func(Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(c.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s: %+v", what, c.Stats())
		}
	}
}

// started returns how many workers were started.
func (c *crowd) started() (n uint64) {
	for _, s := range c.shards() {
		n += s.workers.Stats().Started
	}
	return n
}

// forEachKind runs f with connections that do not park, and with connections that do.
func forEachKind(t *testing.T, f func(t *testing.T, parks bool)) {
	t.Run("waits", func(t *testing.T) { f(t, false) })
	if park.Supported {
		t.Run("parks", func(t *testing.T) { f(t, true) })
	}
}

func TestIdleWorkersOfOtherShardsServe(t *testing.T) { forEachKind(t, idleWorkersServe) }

func idleWorkersServe(t *testing.T, parks bool) {
	const each = 10
	c := newCrowd(t, parks, 1000, 4*each)
	workers, slack := 4*each, 0
	if parks {
		workers += 4 // the leaders
		slack = 4    // a worker that parks a connection may still be busy when another serves it
	}
	for i := range c.schedulers {
		c.send(t, i, each)
	}
	c.enter(t, 4*each)
	c.letGo(t, 4*each)
	c.await(t, "all workers to be idle", func(s Stats) bool { return s.Standby >= workers && s.Busy == 0 })
	for i := range c.schedulers {
		c.send(t, i, 4*each)
		c.enter(t, 4*each)
		if n := c.started(); n > uint64(workers+slack) {
			t.Errorf("shard %d: %d workers were started, want that the %d of before serve: %+v", i, n, workers, c.Stats())
		}
		c.letGo(t, 4*each)
		c.await(t, "all workers to be idle", func(s Stats) bool { return s.Standby >= workers && s.Busy == 0 })
	}
}

func TestConnectionOfOneShardWaitsOnlyAtMaxWorkers(t *testing.T) { forEachKind(t, waitOnlyAtMax) }

func waitOnlyAtMax(t *testing.T, parks bool) {
	const workers = 256
	c := newCrowd(t, parks, workers, 8)
	c.send(t, 0, workers-1)
	c.enter(t, workers-1)
	if c.queue.crowded() {
		t.Errorf("with one worker left, connections wait: %d are admitted", c.queue.admitted())
	}
	c.send(t, 3, 1)
	c.enter(t, 1)
	for i := range c.schedulers {
		c.send(t, i, 1)
	}
	c.await(t, "four connections to be queued", func(s Stats) bool { return s.Queued == 4 })
	if n := c.queue.admitted(); n != workers+4 || !c.queue.crowded() {
		t.Errorf("%d are admitted, want %d", n, workers+4)
	}
	for range 4 { // a worker of any shard continues with what waits in another
		c.letGo(t, 1)
		c.enter(t, 1)
	}
	if c.queue.crowded() {
		t.Errorf("%d are admitted, want that nobody waits", c.queue.admitted())
	}
	c.letGo(t, workers)
	c.await(t, "all workers to be idle", func(s Stats) bool { return s.Busy == 0 })
	if n := c.queue.admitted(); n != 0 || c.queue.room.Free() != workers {
		t.Errorf("%d are admitted when nobody is served", n)
	}
}
