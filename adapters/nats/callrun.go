package recyclingnats

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	grantWithin = callAckWait     // after which a worker gives back a call that it may not begin
	callerGone  = 10              // beats without an answer, the caller has left
	sendWithin  = 8 * time.Second // after which a result that cannot be sent is dropped
)

var (
	errLeft  = errors.New("the caller has left")
	errGrace = errors.New("the worker ends")
)

// A callRun is the worker's side of a call. Its subject gets the orders of the caller.
type callRun struct {
	w       *Worker
	request request
	control string
	ctx     context.Context
	cancel  context.CancelCauseFunc

	grants chan order
	parts  chan order
	credit chan struct{} // has a value after acked has changed
	acked  atomic.Uint64 // chunks that the caller has consumed
	silent atomic.Int64  // beats since the caller was last heard of
	beaten time.Time     // when the last beat was; owned by the goroutine of Worker.Run

	mu   sync.Mutex // guards following
	over bool       // nothing more is sent to the caller
}

// runCall runs the call of a message. The group's place and slots are its own.
func (w *Worker) runCall(g *group, m *nats.Msg, waited bool) {
	defer w.count.Done()
	defer w.next(g, waited)
	r := &callRun{
		w: w, grants: make(chan order, 1), parts: make(chan order, 1), credit: make(chan struct{}, 1),
	}
	name, _ := strings.CutPrefix(m.Subject, g.subjects[calls])
	if r.request.decode(m.Data) != nil || !task.ValidName(name) || !w.client.c.validReply(r.request.inbox) {
		w.client.log.Error("recyclingnats: malformed call was dropped", "subject", m.Subject)
		_ = m.Respond([]byte("+TERM"))
		return
	}
	token := nuid.Next()
	r.control = w.controls.inbox + token
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	defer r.cancel(nil)
	w.controls.add(token, r)
	defer w.controls.remove(token)
	remaining, ok := r.ask(m, waited)
	if !ok {
		return
	}
	w.mu.Lock()
	w.active[r] = struct{}{}
	w.mu.Unlock()
	defer w.inactive(r)
	ctx := r.ctx
	if remaining > 0 {
		limited, cancel := context.WithTimeout(ctx, remaining)
		defer cancel()
		ctx = limited
	}
	input, err := r.input(ctx)
	out := &output{r: r, ended: make(chan struct{})}
	if err != nil {
		r.result(ctx, out, task.Outcome{Kind: task.Canceled, Message: err.Error()})
		return
	}
	o := w.run(ctx, g, name, input, out)
	out.end()
	r.result(ctx, out, o)
}

func (w *Worker) inactive(r run) {
	w.mu.Lock()
	delete(w.active, r)
	w.mu.Unlock()
}

// ask begins the call, with the caller's permission. It may begin without if it is idempotent and
// has not waited.
func (r *callRun) ask(m *nats.Msg, waited bool) (remaining time.Duration, ok bool) {
	if r.request.direct && waited && delivered(m) == 1 {
		r.send(frameBegun, 0, nil)
		_ = m.Respond([]byte("+ACK"))
		return r.request.remaining, true
	}
	t := time.NewTimer(grantWithin)
	defer t.Stop()
	r.send(frameAsk, 0, nil)
	select {
	case o := <-r.grants:
		_ = m.Respond([]byte("+ACK"))
		return duration(o.n), true
	case <-r.ctx.Done():
		_ = m.Respond([]byte("+ACK"))
	case <-t.C:
		nakAfter(m, time.Second)
	}
	return 0, false
}

// delivered returns how often a message has been delivered.
func delivered(m *nats.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 0
	}
	return meta.NumDelivered
}

// receive gets an order, on the subscription's goroutine.
func (r *callRun) receive(m *nats.Msg) {
	if len(m.Data) == 0 {
		if m.Header.Get("Status") == "503" { // nobody listens to the caller's subject
			r.cancel(errLeft)
		}
		return
	}
	var o order
	if o.decode(m.Data) != nil {
		return
	}
	r.silent.Store(0)
	switch o.kind {
	case orderGrant:
		offer(r.grants, o)
	case orderPart:
		offer(r.parts, o)
	case orderCredit:
		r.acked.Store(max(r.acked.Load(), o.n)) // nothing else stores it
		offer(r.credit, struct{}{})
		if m.Reply != "" { // the caller has not heard a beat
			_ = r.send(frameBeat, 0, nil)
		}
	case orderCancel:
		r.cancel(errLeft)
	}
}

func offer[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// beat tells the caller that the call runs. Beats are counted, not time, so that a worker that was
// paused does not take the caller for lost.
func (r *callRun) beat(now time.Time) {
	if now.Sub(r.beaten) < beatEvery*3/4 {
		return
	}
	r.beaten = now
	if r.silent.Add(1) > callerGone {
		r.cancel(errLeft)
		return
	}
	_ = r.send(frameBeat, 0, nil)
}

// giveBack ends the call, which has begun, because the worker ends.
func (r *callRun) giveBack() {
	r.send(frameBack, 0, nil)
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel(errGrace)
}

// send sends a frame, unless the call has been given back.
func (r *callRun) send(k frameKind, n uint64, data []byte) error {
	r.mu.Lock()
	over := r.over
	r.mu.Unlock()
	if over {
		return errGrace
	}
	f := frame{kind: k, attempt: r.request.attempt, n: n, data: data}
	if !k.needsCaller() {
		return r.w.client.nc.Publish(r.request.inbox, f.encode())
	}
	return r.w.client.nc.PublishRequest(r.request.inbox, r.control, f.encode())
}

// sendFor sends a frame as soon as there is a connection.
func (r *callRun) sendFor(ctx context.Context, d time.Duration, k frameKind, n uint64, data []byte) error {
	limit := time.Now().Add(d)
	for {
		err := r.send(k, n, data)
		if err == nil || errors.Is(err, errGrace) || time.Now().After(limit) {
			return err
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// input returns the input, which it fetches from the caller if it is large.
func (r *callRun) input(ctx context.Context) ([]byte, error) {
	if r.request.parts == 0 {
		return r.request.input, nil
	}
	if r.request.parts > maxParts {
		return nil, errFrame
	}
	var b []byte
	for n := range r.request.parts {
		part, err := r.part(ctx, n)
		if err != nil {
			return nil, err
		}
		b = append(b, part...)
	}
	return b, nil
}

func (r *callRun) part(ctx context.Context, n uint64) ([]byte, error) {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	_ = r.send(framePart, n, nil)
	for {
		select {
		case o := <-r.parts:
			if o.n == n {
				return o.data, nil
			}
		case <-t.C: // the request or the part was lost
			_ = r.send(framePart, n, nil)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
