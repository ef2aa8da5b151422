package recyclingnats

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	maxBackoff   = time.Minute
	stateWithin  = 5 * time.Second // for one write of a record
	unknownDelay = 5 * time.Second // before a task that a worker does not know is offered again
	maxReason    = 8 << 10         // of the text why an attempt failed
)

// A jobRun is an attempt to run an enqueued task.
type jobRun struct {
	w      *Worker
	m      *nats.Msg
	g      *group
	name   string
	id     string
	job    job
	placed time.Time // when the request for the message was placed
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu     sync.Mutex // guards following
	phase  runPhase
	record record    // as this attempt has stored it
	last   time.Time // when NATS last heard of it
}

// A runPhase is that of a jobRun's life.
type runPhase uint8

const (
	attempting runPhase = iota
	failing             // the attempt has failed, and that is being recorded
	givenBack
)

// runJob runs the enqueued task of a message. The group's place and slots are its own.
func (w *Worker) runJob(g *group, m *nats.Msg, placed time.Time, waited bool) {
	defer w.count.Done()
	defer w.next(g, waited)
	r := &jobRun{w: w, m: m, g: g, placed: placed, last: time.Now()}
	rest, _ := strings.CutPrefix(m.Subject, g.subjects[jobs])
	r.name, r.id, _ = strings.Cut(rest, ".")
	if !task.ValidName(r.name) || !task.ValidName(r.id) {
		w.client.log.Error("recyclingnats: malformed task was dropped", "subject", m.Subject)
		_ = m.Respond([]byte("+TERM"))
		return
	}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	defer r.cancel(nil)
	if err := r.job.decode(m.Data); err != nil {
		r.refuse(err)
		return
	}
	w.mu.Lock()
	w.active[r] = struct{}{}
	w.mu.Unlock()
	defer w.inactive(r)
	if r.begin() {
		r.end(r.run())
	}
}

// refuse makes a dead letter of a message that nobody can decode.
func (r *jobRun) refuse(reason error) {
	ctx, cancel := context.WithTimeout(r.ctx, stateWithin)
	defer cancel()
	rec, err := r.w.client.load(ctx, r.id)
	if err != nil {
		r.decline()
		return
	}
	rec.Task, rec.Message = r.name, reason.Error()
	r.bury(rec)
}

// begin counts the attempt, before it begins, so that a task that kills its worker is given up at
// last. It reports whether the task is to be run.
func (r *jobRun) begin() bool {
	ctx, cancel := context.WithTimeout(r.ctx, stateWithin)
	defer cancel()
	given, late := false, false
	rec, err := r.w.client.change(ctx, r.id, func(rec *record) bool {
		if late = r.late(); late {
			return false
		}
		if given = rec.State.final() || rec.Attempt >= r.w.client.c.Attempts; given {
			return false
		}
		rec.Task, rec.State = r.name, Running
		rec.Attempt++
		return true
	})
	r.mu.Lock()
	r.record = rec
	over := r.phase == givenBack
	r.mu.Unlock()
	switch {
	case err != nil:
		r.w.client.log.Warn("recyclingnats: cannot begin a task", "task", r.name, "id", r.id, "error", err)
		r.decline()
		return false
	case late:
		r.w.client.log.Warn("recyclingnats: a task came late, and is left to other workers", "task", r.name, "id", r.id,
			"after", time.Since(r.placed))
		return false
	case rec.State.final():
		r.finish(rec.State)
		return false
	case given:
		if rec.Message == "" {
			rec.Message = "the worker was lost in each attempt"
		}
		r.bury(rec)
		return false
	case over:
		r.back(rec, 0)
		return false
	}
	return true
}

func (r *jobRun) run() task.Outcome {
	ctx := r.ctx
	if o, ok := r.w.tasks.Lookup(r.name); ok && o.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		ctx = limited
	}
	input := r.job.input
	if r.job.object != "" {
		var err error
		if input, err = r.w.client.inputs().GetBytes(ctx, r.job.object); err != nil {
			return task.Outcome{Kind: task.Failed, Message: fmt.Sprintf("input %s: %v", r.job.object, err)}
		}
	}
	return r.w.run(ctx, r.g, r.name, input, io.Discard)
}

// end records how the attempt has ended.
func (r *jobRun) end(o task.Outcome) {
	if o.Kind == task.Returned {
		r.done(o.Output)
		return
	}
	rec, ok := r.leave(failing)
	if !ok {
		return
	}
	rec.Kind, rec.Code = o.Kind, o.Code[:min(len(o.Code), maxCode)]
	rec.Message = failure(o)
	switch {
	case o.Kind == task.Unknown:
		r.back(rec, unknownDelay)
	case rec.Attempt >= r.w.client.c.Attempts || o.Code == task.CodeInput:
		r.bury(rec)
	default:
		rec.State = Failed
		r.again(rec, backoff(r.w.client.c.Backoff, rec.Attempt))
	}
}

// leave ends the phase in which the attempt runs, and reports whether it was that.
func (r *jobRun) leave(to runPhase) (rec record, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase != attempting {
		return record{}, false
	}
	r.phase = to
	return r.record, true
}

// again stores a record that is not final, and lets the next attempt begin after d. If another
// attempt has begun meanwhile, because this worker had disappeared, the message belongs to that. If
// the record cannot be stored, this worker cannot tell. Then NATS delivers the message again after
// AckWait, and the attempt counts.
func (r *jobRun) again(rec record, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
	defer cancel()
	if r.w.client.store(ctx, r.id, &rec) == nil {
		r.nak(d)
	}
}

func failure(o task.Outcome) string {
	text := o.Message
	switch o.Kind {
	case task.TimedOut:
		text = "the task took too long"
	case task.Panicked:
		text = "panic: " + text
	case task.Aborted:
		text = "panic: net/http: abort Handler"
	case task.Exited:
		text = "the task called runtime.Goexit"
	case task.Lost:
		text = "the worker was lost: " + text
	case task.Unknown:
		text = "no worker knows the task"
	}
	return text[:min(len(text), maxReason)]
}

// backoff is the time after an attempt, with jitter.
func backoff(first time.Duration, attempt int) time.Duration {
	d := first
	for range attempt - 1 {
		if d *= 2; d >= maxBackoff {
			d = maxBackoff
			break
		}
	}
	return d/2 + rand.N(d/2+1)
}

// done stores the result, however long that takes: the disk may be full, or NATS away. The worker
// has no room for another task meanwhile, and NATS is told that this one is in progress.
func (r *jobRun) done(output []byte) {
	c := r.w.client
	r.mu.Lock()
	attempt := r.record.Attempt
	r.mu.Unlock()
	object := ""
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
		err := func() (err error) {
			defer cancel()
			if len(output) > c.chunk && object == "" {
				if object, err = c.putOutput(ctx, r.id, output); err != nil {
					c.removeOutput(ctx, object)
					object = ""
					return err
				}
			}
			var kept, buried bool
			_, err = c.change(ctx, r.id, func(rec *record) (changed bool) {
				buried = rec.State == Dead
				changed, kept = rec.complete(r.name, attempt, output, object)
				return changed
			})
			if err == nil && !kept && object != "" {
				c.removeOutput(ctx, object)
			}
			if err == nil && buried {
				_ = c.DeleteDead(ctx, r.id) // otherwise RetryDead does it
			}
			return err
		}()
		if err == nil {
			r.finish(Done)
			return
		}
		if try == 0 {
			c.log.Warn("recyclingnats: cannot store a result", "task", r.name, "id", r.id, "error", err)
		}
		if !sleep(r.ctx, reconnectDelay(try)) {
			return // given back
		}
	}
}

func (c *Client) putOutput(ctx context.Context, id string, output []byte) (object string, err error) {
	object = id + "." + nuid.Next()
	return object, putObject(ctx, c.outputs(), object, output)
}

func (c *Client) removeOutput(ctx context.Context, object string) {
	_ = c.outputs().Delete(ctx, object) // otherwise it is removed after Keep
}

// finish removes what is not needed any more. The task has a final state.
func (r *jobRun) finish(s State) {
	_ = r.m.Respond([]byte("+ACK")) // if it is lost, the next worker finds the final state
	if r.job.object != "" && s != Dead {
		ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
		defer cancel()
		r.w.client.removeInput(ctx, r.job.object)
	}
}

// late reports whether another worker may have got the message. It is for attempts that have not
// begun: while an attempt runs, beat keeps NATS from delivering the message again.
func (r *jobRun) late() bool { return r.w.client.c.late(r.placed) }

// decline gives back a message whose attempt cannot begin, unless another worker may have it: then
// a NAK would give it to a third.
func (r *jobRun) decline() {
	if !r.late() {
		r.nak(time.Second)
	}
}

func (r *jobRun) nak(d time.Duration) { nakAfter(r.m, d) }

// beat tells NATS that the task is in progress.
func (r *jobRun) beat(now time.Time) {
	r.mu.Lock()
	due := r.phase != givenBack && now.Sub(r.last) >= r.w.client.c.AckWait/3-r.w.interval()/2
	if due {
		r.last = now
	}
	r.mu.Unlock()
	if due {
		_ = r.m.Respond([]byte("+WPI"))
	}
}

// giveBack ends the attempt because the worker ends. It does not count.
func (r *jobRun) giveBack() {
	rec, ok := r.leave(givenBack)
	r.cancel(errGrace)
	if ok && rec.revision != 0 { // otherwise begin notices it
		r.back(rec, 0)
	}
}

// back lets another worker begin at once, or after d, and does not count the attempt.
func (r *jobRun) back(rec record, d time.Duration) {
	rec.State = Queued
	rec.Attempt = max(rec.Attempt-1, 0)
	r.again(rec, d)
}
