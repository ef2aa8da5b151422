package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
)

// errUnsent is in the error of a task of which the child cannot have got all, so that it has not
// begun.
var errUnsent = errors.New("the task was not sent")

// run runs a job with its encoded input in the child, and returns how it ended. When ctx ends, the
// child is told, and has Command.Grace to answer; until it has, run does not return, so that the
// next task finds a child that has nothing else to do.
//
// Errors are those of Call, and also the context's, or that of the caller's writer if a part of a
// stream was not passed on. If the child cannot have begun with the task, they wrap errUnsent.
func (p *Process) run(ctx context.Context, j *task.Job, input []byte) (task.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return task.Outcome{}, err
	}
	j.Begin()
	p.asked++
	r := runner{p: p, ctx: ctx, job: j, limit: p.limit(ctx)}
	defer r.limit.lift() // the caller's writer may panic
	o, err := r.exchange(input)
	hung := r.limit.lift()
	if err == nil {
		p.panicked.CompareAndSwap(false, o.Kind == task.Panicked)
		return o, r.late(o)
	}
	unsent := errors.Is(err, errUnsent)
	if hung {
		err = p.hung(ctx)
	} else {
		err = p.giveUp(err)
	}
	if unsent && !errors.Is(err, errUnsent) {
		err = fmt.Errorf("%w: %w", errUnsent, err)
	}
	return o, err
}

// A runner is the parent's side of one task.
type runner struct {
	p       *Process
	ctx     context.Context
	job     *task.Job
	limit   *limit
	owed    int   // credit that the child will get
	dropped error // why a part of the stream was not passed on, and no more is; or nil
}

// exchange sends the task and reads frames until its outcome.
func (r *runner) exchange(input []byte) (o task.Outcome, err error) {
	if n := r.p.out.r.Buffered(); n > 0 {
		return o, fmt.Errorf("%w: %d bytes from the child that nothing has asked for", errUnsent, n)
	}
	if err := r.ask(input); err != nil {
		return o, fmt.Errorf("%w: %w", errUnsent, err)
	}
	r.limit.sent()
	for {
		h, err := r.p.out.head()
		if err != nil {
			return o, err
		}
		if h.id != r.p.asked {
			return o, fmt.Errorf("a frame for task %d during task %d", h.id, r.p.asked)
		}
		switch h.kind {
		case outcome:
			b, err := r.p.out.payload(h, r.p.maxOutput()+overhead)
			if err != nil {
				return o, err
			}
			return parseOutcome(b)
		case chunk:
			err = r.pass(h)
		case store:
			err = r.stash(h)
		default:
			err = fmt.Errorf("a frame of unexpected kind %d", h.kind)
		}
		if err != nil {
			return o, err
		}
	}
}

// late returns an error instead of an outcome that is worthless: a part of the stream is missing,
// or the task has failed because its context has ended, of which it may have learned earlier than
// the caller.
func (r *runner) late(o task.Outcome) error {
	if r.dropped != nil {
		return r.dropped
	}
	switch o.Kind {
	case task.Failed, task.Canceled, task.TimedOut:
		if d, ok := r.ctx.Deadline(); ok && time.Until(d) <= 0 {
			<-r.ctx.Done()
		}
		return r.ctx.Err()
	}
	return nil
}

// maxOutput is the size of the largest output of a task: MaxAnswer, if the outcome then fits into a
// frame, and its size into an int.
func (p *Process) maxOutput() int { return min(p.c.MaxAnswer, math.MaxInt32-overhead) }

// ask sends the task.
func (r *runner) ask(input []byte) error {
	q := question{name: r.job.Name(), maxAnswer: uint32(r.p.maxOutput())}
	if deadline, ok := r.ctx.Deadline(); ok {
		q.left = max(time.Until(deadline), 1)
	}
	r.p.in.begin(ask, r.p.asked)
	r.p.in.buf = q.append(r.p.in.buf)
	return r.p.in.end(input)
}

// pass passes a chunk on to the caller, and lets the child send more. When the caller has left, or
// its writer has failed, which ends ctx, the chunk is dropped.
func (r *runner) pass(h head) error {
	if !r.job.Streams() || h.size == 0 {
		return errors.New("a part of a stream that was not asked for")
	}
	if err := h.check(maxChunk); err != nil {
		return err
	}
	if r.p.chunk == nil {
		r.p.chunk = make([]byte, maxChunk)
	}
	b, err := r.p.out.fill(r.p.chunk[:h.size])
	if err != nil {
		return err
	}
	if r.dropped == nil {
		r.dropped = r.ctx.Err()
	}
	if r.dropped != nil {
		return nil
	}
	r.limit.wait(true)
	_, r.dropped = r.job.Write(b)
	r.limit.wait(false)
	if r.dropped != nil {
		return nil
	}
	if r.owed += headSize + int(h.size); r.owed < window/2 {
		return nil
	}
	r.p.in.begin(credit, r.p.asked)
	r.p.in.buf = appendCredit(r.p.in.buf, r.owed)
	r.owed = 0
	return r.p.in.end(nil)
}

// stash makes a call of the stash for the task.
func (r *runner) stash(h head) error {
	b, err := r.p.out.payload(h, maxStore)
	if err != nil {
		return err
	}
	c, err := parseStashCall(b)
	if err != nil {
		return err
	}
	r.limit.wait(true)
	a := c.do(r.ctx, r.p.stash)
	r.limit.wait(false)
	if b, err = json.Marshal(a); err != nil {
		return err
	}
	return r.p.in.send(frame{kind: store, id: r.p.asked, payload: b})
}
