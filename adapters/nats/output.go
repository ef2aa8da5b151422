package recyclingnats

import (
	"context"
	"sync"

	"github.com/recycling-go/recycling/core/offload/task"
)

// An output is the writer of a task. A task may leave goroutines behind that still write: what they
// write after it has returned is refused.
type output struct {
	r     *callRun
	ended chan struct{} // closed when the task has returned

	mu     sync.Mutex // guards following, and is held while a Write blocks
	chunks uint64     // sent
}

// Write sends a part of a stream to the caller. It blocks while the caller has not consumed what it
// has got.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writeLocked(b, o.ended)
}

// end refuses what is written from now on.
func (o *output) end() {
	close(o.ended)
	o.mu.Lock() // until a Write that has begun has noticed it
	defer o.mu.Unlock()
}

func (o *output) writeLocked(b []byte, ended <-chan struct{}) (int, error) {
	written := 0
	for {
		part := b[written:min(written+o.r.w.client.chunk, len(b))]
		k := frameMore
		if written+len(part) == len(b) {
			k = frameChunk
		}
		if err := o.chunkLocked(k, part, ended); err != nil {
			return written, err
		}
		written += len(part)
		if k == frameChunk {
			return written, nil
		}
	}
}

func (o *output) chunkLocked(k frameKind, b []byte, ended <-chan struct{}) error {
	r := o.r
	for o.chunks-min(r.acked.Load(), o.chunks) >= window {
		select {
		case <-r.credit:
		case <-ended:
			return task.ErrLeft
		case <-r.ctx.Done():
			return task.ErrLeft
		}
	}
	select {
	case <-ended:
		return task.ErrLeft
	default:
	}
	if r.ctx.Err() != nil || r.sendFor(r.ctx, sendWithin, k, o.chunks, b) != nil {
		return task.ErrLeft
	}
	o.chunks++
	return nil
}

// result sends the outcome to the caller.
func (r *callRun) result(ctx context.Context, w *output, o task.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := o.Output
	if len(b) > r.w.client.chunk {
		if _, err := w.writeLocked(b, nil); err != nil {
			return // the caller has left
		}
		b = nil
	}
	err := r.sendFor(context.WithoutCancel(ctx), sendWithin, frameResult, w.chunks, encodeOutcome(&o, b))
	if err != nil && r.ctx.Err() == nil {
		r.w.client.log.Warn("recyclingnats: result could not be sent", "error", err)
	}
}
