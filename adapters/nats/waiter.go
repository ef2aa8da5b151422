package recyclingnats

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recycling-go/recycling/core/offload/task"
)

var (
	errFlood = errors.New("the worker sent more than it may")
	errBack  = errors.New("the worker ended before the task did")
	epoch    = time.Now()
)

// A waiter is the caller's side of a call. Its subject gets the frames of the worker, and what
// JetStream says about the request. It is owned by the goroutine of Do, except for what is atomic.
type waiter struct {
	c     *Client
	j     *task.Job
	input []byte
	inbox string

	events   chan event
	gone     chan struct{} // closed when the client is closed
	goneOnce sync.Once
	attempt  atomic.Uint64
	broken   atomic.Bool            // an event found no room
	control  atomic.Pointer[string] // the worker's subject; nil until it runs
	heard    atomic.Int64           // when the worker was last heard of, since epoch
	consumed atomic.Uint64          // chunks

	progress
}

// The progress of an attempt is what only the goroutine of Do knows of it.
type progress struct {
	queued   bool // JetStream has the request
	sequence uint64
	doubted  bool   // the timer is that after which the workers are asked for their slots
	watched  bool   // the timer is that of the worker's silence
	noted    int64  // heard, when watch looked at it last
	probes   int    // questions since then
	chunks   uint64 // that have come
	partial  []byte // of a Write
	whole    []byte // the chunks of an output that is not a stream
}

// An event is a frame, or JetStream's answer to the request: then its data is nil if no stream has
// taken the request. A frame without a kind says that the worker is gone.
type event struct {
	frame
	confirm bool
	reply   string
}

func newWaiter(c *Client, j *task.Job, input []byte) *waiter {
	return &waiter{
		c: c, j: j, input: input,
		events: make(chan event, 2*window),
		gone:   make(chan struct{}),
	}
}

// next begins an attempt.
func (w *waiter) next() {
	w.attempt.Add(1)
	w.control.Store(nil)
	w.consumed.Store(0)
	w.broken.Store(false)
	w.progress = progress{}
}

// receive is called for each message, on the subscription's goroutine.
func (w *waiter) receive(m *nats.Msg) {
	if len(m.Data) == 0 {
		// Nobody listens: no stream took the call, or its worker is gone.
		if m.Header.Get("Status") == "503" {
			w.put(event{confirm: !w.running()})
		}
		return
	}
	if m.Data[0] == '{' {
		w.put(event{confirm: true, frame: frame{data: m.Data}})
		return
	}
	var f frame
	if f.decode(m.Data) != nil || m.Reply != "" && !w.c.c.validReply(m.Reply) {
		return
	}
	control := w.control.Load()
	if f.attempt != w.attempt.Load() || control != nil && m.Reply != "" && m.Reply != *control {
		if m.Reply != "" {
			w.order(m.Reply, order{kind: orderCancel})
		}
		return
	}
	w.heard.Store(int64(time.Since(epoch)))
	if f.kind == frameBeat && control != nil {
		w.order(*control, order{kind: orderCredit, n: w.consumed.Load()})
		return
	}
	w.put(event{frame: f, reply: m.Reply})
}

func (w *waiter) put(e event) {
	select {
	case w.events <- e:
	default:
		if e.kind != frameAsk && e.kind != frameBeat {
			w.broken.Store(true) // the next event that is handled finds it
		}
	}
}

func (w *waiter) close() { w.goneOnce.Do(func() { close(w.gone) }) }

func (w *waiter) running() bool { return w.control.Load() != nil }

func (w *waiter) heardAt() time.Time { return epoch.Add(time.Duration(w.heard.Load())) }

func (w *waiter) order(subject string, o order) {
	_ = w.c.nc.Publish(subject, o.encode()) // if it is lost, the next beat brings it again
}

// begin notes which worker runs the call.
func (w *waiter) begin(control string) {
	if control != "" && !w.running() {
		w.control.Store(&control)
		w.j.Begin()
	}
}

// answer lets a worker begin, unless another one has, or the caller has to be released.
func (w *waiter) answer(ctx context.Context, e event) {
	control := w.control.Load()
	if e.reply == "" || ctx.Err() != nil || control != nil && *control != e.reply {
		w.order(e.reply, order{kind: orderCancel})
		return
	}
	w.begin(e.reply)
	w.order(e.reply, order{kind: orderGrant, n: micros(remaining(ctx))})
}

// remaining is the time until the deadline of ctx: at least a microsecond, or zero if there is
// none.
func remaining(ctx context.Context) time.Duration {
	d, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(d), time.Microsecond)
}

// watch asks for a worker that is silent, and reports whether it may still be there. Questions are
// counted, not time, so that a caller that was paused does not take its worker for lost.
func (w *waiter) watch() bool {
	if heard := w.heard.Load(); heard != w.noted {
		w.noted, w.probes = heard, 0
	}
	if time.Since(w.heardAt()) < probeAfter {
		return true
	}
	if w.probes++; w.probes > maxProbes {
		return false
	}
	w.probe()
	return true
}

// probe asks the worker for a beat. NATS answers if nobody listens to the worker's subject.
func (w *waiter) probe() {
	if control := w.control.Load(); control != nil {
		_ = w.c.nc.PublishRequest(*control, w.inbox, order{kind: orderCredit, n: w.consumed.Load()}.encode())
	}
}

// part sends a part of the input.
func (w *waiter) part(e event) {
	size := uint64(w.c.chunk)
	if e.n >= maxParts || e.n*size >= uint64(len(w.input)) {
		return
	}
	from := e.n * size
	to := min(from+size, uint64(len(w.input)))
	w.begin(e.reply)
	w.order(e.reply, order{kind: orderPart, n: e.n, data: w.input[from:to]})
}

// chunk takes a part of the output.
func (w *waiter) chunk(e event) (verdict, bool, error) {
	w.chunks++
	switch {
	case !w.j.Streams():
		if w.chunks > maxParts {
			w.dismiss()
			return lost, true, errFlood
		}
		w.whole = append(w.whole, e.data...)
	case e.kind == frameMore && len(w.partial) < maxWrite:
		w.partial = append(w.partial, e.data...)
	default:
		b := e.data
		if w.partial != nil {
			b, w.partial = append(w.partial, b...), nil
		}
		if _, err := w.j.Write(b); err != nil {
			w.dismiss()
			return ended, true, err
		}
	}
	n := w.consumed.Add(1)
	if control := w.control.Load(); control != nil && n%(window/2) == 0 {
		w.order(*control, order{kind: orderCredit, n: n})
	}
	return 0, false, nil
}

// maxWrite is how many bytes of one Write are kept together.
const maxWrite = 1 << 20

// dismiss tells the worker that the caller has left. It may be called by any goroutine.
func (w *waiter) dismiss() {
	if control := w.control.Load(); control != nil {
		w.order(*control, order{kind: orderCancel})
	}
}

// handingOver reports whether workers are just getting calls of the group, which are in the queue
// until NATS has noted that.
func (w *waiter) handingOver(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, ackWithin)
	defer cancel()
	c, err := w.c.js.Consumer(ctx, w.c.c.callStream(), w.c.c.group(w.j.Name(), w.j.Options()))
	return err == nil && c.CachedInfo().NumAckPending > 0
}

// withdraw removes the request from the queue, if it is still there.
func (w *waiter) withdraw() {
	if !w.queued || w.running() {
		return
	}
	b, err := json.Marshal(struct {
		Sequence uint64 `json:"seq"`
		NoErase  bool   `json:"no_erase"`
	}{w.sequence, true})
	if err == nil {
		// Nobody waits for the answer: if the request stays, the worker that gets it asks first.
		_ = w.c.nc.Publish("$JS.API.STREAM.MSG.DELETE."+w.c.c.callStream(), b)
	}
}

// dismissStray answers a worker that works for a call that has ended.
func (c *Client) dismissStray(m *nats.Msg) {
	var f frame
	if c.c.validReply(m.Reply) && f.decode(m.Data) == nil && f.kind.needsCaller() {
		_ = m.Respond(order{kind: orderCancel}.encode())
	}
}
