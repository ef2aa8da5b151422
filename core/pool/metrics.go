package pool

import "time"

// Metrics is what a pool tells of its jobs. Its methods are called from several goroutines at
// once, never with a lock held, and had better be quick: the next job waits.
//
// How long a job waited for a worker the pool does not know. Who wants to know it puts the time
// into the job.
type Metrics interface {
	// JobDone is called when Work ends, in whichever way, and says how long that took.
	JobDone(took time.Duration)

	// JobSkipped is called when a job was not begun, since its context had ended with err.
	JobSkipped(err error)

	// JobRefused is called when Submit, SubmitAll or TrySubmit returns err.
	JobRefused(err error)
}

// wrap returns newWork with what c wants to be done before and after each job. A pool that wants
// nothing gets newWork itself, and pays nothing.
func (p *Pool[T]) wrap(newWork func(leave func()) func(T)) func(leave func()) func(T) {
	if p.c.Context == nil && p.c.Metrics == nil {
		return newWork
	}
	return func(leave func()) func(T) {
		work := newWork(leave)
		if p.c.Metrics != nil {
			work = p.timed(work)
		}
		if p.c.Context != nil {
			work = p.checked(work)
		}
		return work
	}
}

// timed returns work that tells Metrics how long it took.
func (p *Pool[T]) timed(work func(T)) func(T) {
	return func(job T) {
		begin := time.Now()
		defer func() { p.c.Metrics.JobDone(time.Since(begin)) }() // also after a panic or Goexit
		work(job)
	}
}

// checked returns work that skips jobs whose context has ended.
func (p *Pool[T]) checked(work func(T)) func(T) {
	return func(job T) {
		if ctx := p.c.Context(job); ctx != nil && ctx.Err() != nil {
			p.skip(job, ctx.Err())
			return
		}
		work(job)
	}
}

func (p *Pool[T]) skip(job T, err error) {
	p.skips.Add(1)
	if p.c.Metrics != nil {
		p.c.Metrics.JobSkipped(err)
	}
	if p.c.Skip != nil {
		p.c.Skip(job, err)
	}
}

// refuse notes that a call for jobs to be queued returns err.
func (p *Pool[T]) refuse(err error) error {
	p.refusals.Add(1)
	if p.c.Metrics != nil {
		p.c.Metrics.JobRefused(err)
	}
	return err
}
