package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload"
)

// ErrAway is the reason for shedding a call or an enqueued task if NATS cannot be reached, or has
// no leader for the stream. Nothing has begun.
var ErrAway = errors.New("NATS is away")

const (
	maxReconnectWait = 2 * time.Second
	pendingMessages  = 64 << 10 // of one subscription
	pendingBytes     = 256 << 20
)

// A Client is a connection to NATS. It is a [task.Place] whose tasks run on the workers connected
// to the same NATS, and it keeps enqueued tasks. Connect creates it. Its methods may be called by
// several goroutines at once.
type Client struct {
	c      Config
	nc     *nats.Conn
	js     jetstream.JetStream
	server Server // nil if it is not embedded
	log    *slog.Logger

	chunk int // how many bytes of an input or output fit into a message

	replies *mux[*waiter] // of calls
	setup   setup
	stock   stock
	listing listing
	swept   atomic.Int64 // when the last sweep began that a full bucket caused, since epoch

	mu     sync.Mutex // guards following
	phase  clientPhase
	active int           // how many have entered and not left
	idle   chan struct{} // closed when active is zero and stays so
}

// A clientPhase is that of a Client's life.
type clientPhase uint8

const (
	open clientPhase = iota
	draining
	closed
)

// Connect connects to NATS and creates the streams, consumers and buckets that do not exist yet. If
// NATS cannot be reached, it logs the error and tries again until ctx ends. Errors in c name the
// field and the value. Close must be called at the end.
func Connect(ctx context.Context, c Config) (*Client, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	cl := &Client{c: c, log: c.Log, idle: make(chan struct{})}
	cl.listing.turn = make(chan struct{}, 1)
	if err := cl.connect(ctx); err != nil {
		return nil, err
	}
	if err := cl.begin(ctx); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

func (c *Client) connect(ctx context.Context) error {
	o, err := c.c.options()
	if err != nil {
		return err
	}
	o = append(o,
		nats.Name(c.c.Name),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // credentials may be replaced while the program runs
		nats.RetryOnFailedConnect(false),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.ReconnectBufSize(-1), // what cannot be sent is an error now, not a surprise later
		nats.PingInterval(2*time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(5*time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("recyclingnats: connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.log.Info("recyclingnats: connected again", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			c.log.Error("recyclingnats: error of the connection", "error", err, "subject", subject)
		}),
	)
	if c.c.URL == "" {
		if c.server, err = c.c.Embedded(c.c.Dir); err != nil {
			return fmt.Errorf("recyclingnats: embedded server: %w", err)
		}
		o = append(o, nats.InProcessServer(c.server))
	}
	o = append(o, c.c.Options...)
	for try := 0; ; try++ {
		c.nc, err = nats.Connect(c.c.URL, o...)
		if err == nil {
			break
		}
		c.log.Warn("recyclingnats: cannot connect", "url", redacted(c.c.URL), "error", err)
		if !sleep(ctx, reconnectDelay(try)) {
			if c.server != nil {
				c.server.Close()
			}
			return fmt.Errorf("recyclingnats: URL is %q: %w (%w)", redacted(c.c.URL), err, ctx.Err())
		}
	}
	c.js, err = jetstream.New(c.nc)
	return err
}

// begin prepares what needs a connection.
func (c *Client) begin(ctx context.Context) error {
	c.chunk = int(min(maxInline, c.nc.MaxPayload()/2))
	var err error
	if c.replies, err = newMux[*waiter](c.nc, c.dismissStray); err != nil {
		return err
	}
	for try := 0; ; try++ {
		err := c.ensure(ctx)
		if err == nil {
			return nil
		}
		c.log.Warn("recyclingnats: cannot create streams", "error", err)
		if tooSmall(err) {
			return fmt.Errorf("recyclingnats: BacklogBytes is %d, which NATS cannot reserve for each of its streams: %w",
				c.c.BacklogBytes, err)
		}
		if !retriable(err) || !sleep(ctx, reconnectDelay(try)) {
			return fmt.Errorf("recyclingnats: creating streams: %w", err)
		}
	}
}

// Errors of a server, or of a cluster, that has not enough storage for a stream. A cluster that is
// starting has not enough servers either.
const (
	noPeers   jetstream.ErrorCode = 10005
	noMemory  jetstream.ErrorCode = 10028
	noStorage jetstream.ErrorCode = 10047
)

// tooSmall reports whether a server lacks the space that a stream is to reserve.
func tooSmall(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == noMemory || api.ErrorCode == noStorage)
}

// retriable reports whether the cause of an error of JetStream may go away by itself.
func retriable(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 503 || api.Code == 500 || api.ErrorCode == noPeers
	}
	return true
}

// reconnectDelay is the time before the next attempt, with jitter.
func reconnectDelay(attempts int) time.Duration {
	d := min(50*time.Millisecond<<min(attempts, 10), maxReconnectWait)
	return d/2 + rand.N(d)
}

// sleep waits, and reports whether d has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// shed is the error for what has not begun.
func (c *Client) shed(reason error) error {
	return &offload.ShedError{Reason: reason, RetryAfter: c.c.RetryAfter}
}

// enter is called when a call begins; the caller must call leave at its end.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != open {
		return c.shed(offload.ErrClosed)
	}
	c.active++
	return nil
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active--; c.active == 0 && c.phase != open {
		close(c.idle)
	}
}

// setPhase enters a phase and returns true, unless the client is in that or a later one already.
func (c *Client) setPhase(to clientPhase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase >= to {
		return false
	}
	if c.phase == open && c.active == 0 {
		close(c.idle)
	}
	c.phase = to
	return true
}

// Shutdown sheds new calls and enqueued tasks with [offload.ErrClosed], and returns nil when the
// calls that there are have ended. If ctx ends first it returns an error that wraps ctx's; calls
// continue until Close.
func (c *Client) Shutdown(ctx context.Context) error {
	c.setPhase(draining)
	select {
	case <-c.idle:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("recyclingnats: shutdown: %d calls have not ended: %w", c.active, ctx.Err())
}

// Close closes the connection, and the embedded server if there is one. Calls that wait for an
// answer get [offload.ErrClosed]. Workers must have ended before.
func (c *Client) Close() {
	if !c.setPhase(closed) {
		return
	}
	if c.replies != nil {
		for _, w := range c.replies.all() {
			w.close()
		}
	}
	<-c.idle
	c.nc.Close()
	if c.server != nil {
		c.server.Close()
	}
}

// Conn returns the connection, for other uses.
func (c *Client) Conn() *nats.Conn { return c.nc }
