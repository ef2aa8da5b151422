package pool

import "time"

// Metrics receives the events of a pool's jobs. Its methods are called from several goroutines at
// once, never with a lock held, and should be quick: the next job waits for them.
//
// The pool does not measure how long a job waited for a worker. To know that, put the submission
// time into the job.
type Metrics interface {
	// JobDone is called when Work ends, in whatever way, with the time that it took.
	JobDone(took time.Duration)

	// JobSkipped is called when a job was skipped, because its context had ended with err.
	JobSkipped(err error)

	// JobRefused is called when Submit, SubmitAll or TrySubmit returns err.
	JobRefused(err error)
}

// wrap returns newWork with what c requires before and after each job. A pool that requires nothing
// gets newWork itself, at no cost.
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

// timed returns work wrapped so that Metrics gets the time it took.
func (p *Pool[T]) timed(work func(T)) func(T) {
	return func(job T) {
		begin := time.Now()
		defer func() { p.c.Metrics.JobDone(time.Since(begin)) }() // also after a panic or Goexit
		work(job)
	}
}

// checked returns work wrapped so that it skips jobs whose context has ended.
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

// refuse records that a call of Submit, SubmitAll or TrySubmit returns err.
func (p *Pool[T]) refuse(err error) error {
	p.refusals.Add(1)
	if p.c.Metrics != nil {
		p.c.Metrics.JobRefused(err)
	}
	return err
}
