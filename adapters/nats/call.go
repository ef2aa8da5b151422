package recyclingnats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	beatEvery  = time.Second            // how often a worker tells the caller that the call runs
	probeAfter = 3 * time.Second / 2    // of silence, the caller asks whether the worker is there
	maxProbes  = 9                      // unanswered questions, each probeAfter/2; then it is lost
	ackWithin  = time.Second            // in which NATS has to confirm that it has a call
	window     = 16                     // chunks that a worker may be ahead of the caller
	maxParts   = 4096                   // of an input or an output
	maxRetries = 3                      // how often a call is sent again after its worker was lost
	fewCrowded = 4                      // how often after the queue was full
	maxCrowded = 60                     // the same, while workers are getting calls: about 12 s
	doubtAfter = 200 * time.Millisecond // in the queue, workers are asked if they have the slots
	doubtEvery = time.Second            // between such questions
	soon       = 100 * time.Millisecond // how much earlier a worker's deadline may be
)

// Do runs a job on a worker of any machine that is connected to the same NATS. See [task.Place].
func (c *Client) Do(ctx context.Context, j *task.Job) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	input, err := j.Input()
	if err != nil {
		return err
	}
	if len(input) > c.chunk*maxParts {
		return fmt.Errorf("recyclingnats: input of %s has %d bytes, want at most %d", j.Name(), len(input), c.chunk*maxParts)
	}
	w := newWaiter(c, j, input)
	token := nuid.Next()
	w.inbox = c.replies.inbox + token
	c.replies.add(token, w)
	defer c.replies.remove(token)
	if d := c.c.Timeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if j.Streams() {
		// While Write blocks, nothing else would tell the worker.
		defer context.AfterFunc(ctx, w.dismiss)()
	}
	offload.Waiting(ctx, func() { err = w.do(ctx) })
	return err
}

// A verdict says what follows an attempt.
type verdict uint8

const (
	ended   verdict = iota // the outcome or the error is the caller's
	lost                   // the worker was lost
	unheard                // NATS did not take the call
	noRoom                 // the queue is full
)

func (w *waiter) do(ctx context.Context) error {
	patience := w.c.patience()
	retries, crowded := 0, 0
	for {
		v, err := w.try(ctx, patience)
		switch v {
		case ended:
			return err
		case lost:
			if retries++; !w.j.Retry() || retries > maxRetries {
				return fmt.Errorf("%w: %s: %w", task.ErrLost, w.j.Name(), err)
			}
			patience = w.c.patience() // anew, since it had a worker already
			w.c.log.Warn("recyclingnats: worker was lost, calling again", "task", w.j.Name(), "error", err)
		case noRoom, unheard:
			// A call that has just got its worker is in the queue for a moment longer.
			if v == noRoom {
				if crowded++; crowded > maxCrowded || crowded > fewCrowded && !w.handingOver(ctx) {
					return w.c.shed(offload.ErrFull)
				}
			}
			select {
			case <-time.After(pauseFor(v, crowded)):
			case <-ctx.Done():
				return ctx.Err()
			case <-patience:
				if v == noRoom {
					return w.c.shed(offload.ErrFull)
				}
				w.c.log.Warn("recyclingnats: call was shed", "task", w.j.Name(), "error", err)
				return w.c.shed(ErrAway)
			case <-w.gone:
				return w.c.shed(offload.ErrClosed)
			}
		}
	}
}

// patience returns a channel that gets a value when a call has waited for a worker as long as it
// may, or nil if there is no limit.
func (c *Client) patience() <-chan time.Time {
	if c.c.Wait < 0 {
		return nil
	}
	return time.After(c.c.Wait)
}

// pauseFor is the time before a call is sent again.
func pauseFor(v verdict, crowded int) time.Duration {
	if v == noRoom {
		return min(5*time.Millisecond<<crowded, 200*time.Millisecond)
	}
	return 50 * time.Millisecond
}

// try sends the call once and waits for what comes of it.
func (w *waiter) try(ctx context.Context, patience <-chan time.Time) (verdict, error) {
	w.next()
	if err := w.send(ctx); err != nil {
		return unheard, err
	}
	timer := time.NewTimer(ackWithin)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			w.dismiss()
			w.withdraw()
			return ended, ctx.Err()
		case <-w.gone:
			w.dismiss()
			w.withdraw()
			return ended, w.c.shed(offload.ErrClosed)
		case <-patience:
			patience = nil
			if w.running() {
				continue
			}
			w.withdraw()
			if !w.queued {
				return ended, w.c.shed(ErrAway)
			}
			return ended, w.c.shed(offload.ErrWait)
		case <-timer.C:
			switch {
			case w.running():
				if !w.watch() {
					w.dismiss()
					return lost, fmt.Errorf("the worker has been silent for %v", time.Since(w.heardAt()).Round(time.Millisecond))
				}
				timer.Reset(probeAfter / 2)
			case !w.queued:
				return unheard, fmt.Errorf("NATS has not confirmed the call within %v", ackWithin)
			case !w.c.hopeless(ctx, w.j):
				timer.Reset(doubtEvery)
			default:
				w.withdraw()
				return ended, fmt.Errorf("recyclingnats: %s needs %v: %w", w.j.Name(), w.j.Options().Slots, task.ErrSlots)
			}
		case e := <-w.events:
			v, done, err := w.handle(ctx, e)
			if done {
				return v, err
			}
			if w.queued && !w.running() && !w.doubted && needs(w.j.Options().Slots) {
				w.doubted = true
				timer.Reset(doubtAfter)
			}
			if w.running() && !w.watched {
				w.watched = true
				timer.Reset(probeAfter)
			}
		}
	}
}

// send puts the call into the queue.
func (w *waiter) send(ctx context.Context) error {
	r := request{
		inbox: w.inbox, attempt: w.attempt.Load(), remaining: remaining(ctx), direct: w.j.Options().Idempotent,
	}
	if len(w.input) <= w.c.chunk {
		r.input = w.input
	} else {
		r.parts = uint64((len(w.input) + w.c.chunk - 1) / w.c.chunk)
	}
	subject := w.c.c.callSubject(w.c.c.group(w.j.Name(), w.j.Options()), w.j.Name())
	return w.c.nc.PublishRequest(subject, w.inbox, r.encode())
}

// handle does what a message says, and reports whether that ends the attempt.
func (w *waiter) handle(ctx context.Context, e event) (v verdict, done bool, err error) {
	if e.confirm {
		return w.confirmed(ctx, e.data)
	}
	if e.kind == 0 {
		return lost, true, errors.New("the worker has ended")
	}
	if e.attempt != w.attempt.Load() {
		return 0, false, nil // it was sent before the last attempt
	}
	if w.broken.Load() {
		w.dismiss()
		return lost, true, errFlood
	}
	switch e.kind {
	case frameAsk:
		w.answer(ctx, e)
	case frameBegun, frameBeat:
		w.begin(e.reply)
	case framePart:
		w.part(e)
	case frameChunk, frameMore:
		w.begin(e.reply)
		if e.n != w.chunks {
			w.dismiss()
			return lost, true, fmt.Errorf("part %d of the output came when part %d was expected", e.n, w.chunks)
		}
		return w.chunk(e)
	case frameResult:
		if e.n != w.chunks {
			return lost, true, fmt.Errorf("%d parts of the output came, want %d", w.chunks, e.n)
		}
		o, err := decodeOutcome(e.data)
		if err != nil {
			return lost, true, err
		}
		if w.whole != nil {
			o.Output = w.whole
		}
		if d, ok := ctx.Deadline(); ok && o.Kind == task.TimedOut && time.Until(d) < soon {
			// The worker's deadline was a little earlier.
			<-ctx.Done()
			return ended, true, ctx.Err()
		}
		return ended, true, w.j.Finish(o)
	case frameBack:
		return lost, true, errBack
	}
	return 0, false, nil
}

// A confirmation is what JetStream says when it has got a message.
type confirmation struct {
	Sequence uint64              `json:"seq"`
	Error    *jetstream.APIError `json:"error"`
}

func (w *waiter) confirmed(ctx context.Context, data []byte) (verdict, bool, error) {
	if data == nil { // nobody listens: the stream is not there, or has no leader
		limited, cancel := context.WithTimeout(ctx, 2*ackWithin)
		defer cancel()
		_ = w.c.restore(limited)
		return unheard, true, nats.ErrNoResponders
	}
	var a confirmation
	if err := json.Unmarshal(data, &a); err != nil {
		return unheard, true, err
	}
	switch {
	case a.Error == nil:
		w.queued, w.sequence = true, a.Sequence
		return 0, false, nil
	case full(a.Error):
		return noRoom, true, offload.ErrFull
	}
	return unheard, true, fmt.Errorf("NATS refused the call: %s", a.Error.Description)
}

// full reports whether an error of JetStream says that a stream has reached a limit. The error has
// no code of its own.
func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (strings.HasPrefix(api.Description, "maximum messages exceeded") ||
		strings.HasPrefix(api.Description, "maximum bytes exceeded"))
}
