package recyclingnats

import (
	"context"

	"github.com/recycling-go/recycling/core/offload/task"
)

// Write sends a part of a stream to the caller. It blocks while the caller has not consumed what it
// has got.
func (r *callRun) Write(b []byte) (int, error) {
	written := 0
	for {
		part := b[written:min(written+r.w.client.chunk, len(b))]
		k := frameMore
		if written+len(part) == len(b) {
			k = frameChunk
		}
		if err := r.chunk(k, part); err != nil {
			return written, err
		}
		written += len(part)
		if k == frameChunk {
			return written, nil
		}
	}
}

func (r *callRun) chunk(k frameKind, b []byte) error {
	for r.chunks-min(r.acked.Load(), r.chunks) >= window {
		select {
		case <-r.credit:
		case <-r.ctx.Done():
			return task.ErrLeft
		}
	}
	if r.ctx.Err() != nil {
		return task.ErrLeft
	}
	if err := r.sendFor(r.ctx, sendWithin, k, r.chunks, b); err != nil {
		return task.ErrLeft
	}
	r.chunks++
	return nil
}

// result sends the outcome to the caller.
func (r *callRun) result(ctx context.Context, o task.Outcome) {
	output := o.Output
	if len(output) > r.w.client.chunk {
		if _, err := r.Write(output); err != nil {
			return // the caller has left
		}
		output = nil
	}
	err := r.sendFor(context.WithoutCancel(ctx), sendWithin, frameResult, r.chunks, encodeOutcome(&o, output))
	if err != nil && r.ctx.Err() == nil {
		r.w.client.log.Warn("recyclingnats: result could not be sent", "error", err)
	}
}
