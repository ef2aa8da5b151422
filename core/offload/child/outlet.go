package child

import (
	"errors"
	"sync"

	"github.com/recycling-go/recycling/core/offload/task"
)

// An outlet is the writer of a task in a child, which sends what is written as chunks. The parent
// gives credit for as much as it has passed on, so what is under way is at most a window, and a
// slow reader slows the task.
type outlet struct {
	t *running

	writing sync.Mutex // keeps Writes apart, and guards ended
	ended   bool       // whether the task has ended

	mu     sync.Mutex // guards following
	credit int        // how many bytes of frames may be sent
	earned chan struct{}
}

// Write returns task.ErrLeft when the context of the task has ended.
func (o *outlet) Write(b []byte) (n int, err error) {
	o.writing.Lock()
	defer o.writing.Unlock()
	for n < len(b) {
		part := b[n:min(n+maxChunk, len(b))]
		if o.ended || o.t.Err() != nil || !o.take(headSize+len(part)) {
			return n, task.ErrLeft
		}
		if err := o.t.server.out.send(frame{kind: chunk, id: o.t.id, payload: part}); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// take waits until there is credit for n bytes, and takes it. It reports whether the task may
// continue.
func (o *outlet) take(n int) bool {
	for {
		o.mu.Lock()
		if o.credit >= n {
			o.credit -= n
			o.mu.Unlock()
			return true
		}
		if o.earned == nil {
			o.earned = make(chan struct{}, 1)
		}
		o.mu.Unlock()
		o.t.server.watch(o.t) // somebody must read the credit
		select {
		case <-o.earned:
		case <-o.t.Done():
			return false
		}
	}
}

// earn adds credit.
func (o *outlet) earn(n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n > window-o.credit {
		return errors.New("child: credit that was not earned")
	}
	o.credit += n
	if o.earned != nil {
		select {
		case o.earned <- struct{}{}:
		default:
		}
	}
	return nil
}

// end waits for a Write that is under way, whose context has ended, and lets no other begin.
func (o *outlet) end() {
	o.writing.Lock()
	o.ended = true
	o.writing.Unlock()
}
