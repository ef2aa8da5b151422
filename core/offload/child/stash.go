package child

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

var (
	errStashOver  = errors.New("child: the stash was called after its task had ended")
	errStashAlone = errors.New("child: the context is not that of a task in a child, and there is no other stash")
)

// Stash returns a store for tasks that run in a child or in this process: a call whose context is
// that of a task in a child, or is derived from it, goes to the parent, and on to [Config.Stash].
// Any other call goes to own, which may be nil; then the call returns an error.
//
// In a child, a call returns when its context ends, but what it was to do may still be done. Calls
// after the task has ended return an error.
func Stash(own stash.Store) stash.Store { return parentStash{own} }

// A parentStash is the store that Stash returns.
type parentStash struct{ own stash.Store }

// runningKey is the key of the running task in its context.
type runningKey struct{}

// Value implements context.Context.
func (t *running) Value(key any) any {
	if key == (runningKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// call makes a call through the parent if ctx belongs to a task in a child, and otherwise on p.own.
func (p parentStash) call(ctx context.Context, c stashCall) (a stashAnswer, err error) {
	t, ok := ctx.Value(runningKey{}).(*running)
	switch {
	case ok:
		return t.stash.call(ctx, t, c)
	case p.own == nil:
		return a, errStashAlone
	}
	err = c.on(ctx, p.own, &a)
	return a, err
}

func (p parentStash) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	a, err := p.call(ctx, stashCall{Op: "get", Key: key})
	return a.Value, a.Revision, err
}

func (p parentStash) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	a, err := p.call(ctx, stashCall{Op: "put", Key: key, Value: value, TTL: ttl})
	return a.Revision, err
}

func (p parentStash) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	a, err := p.call(ctx, stashCall{Op: "create", Key: key, Value: value, TTL: ttl})
	return a.Revision, err
}

func (p parentStash) Update(ctx context.Context, key string, value []byte, last uint64, ttl time.Duration) (revision uint64, err error) {
	a, err := p.call(ctx, stashCall{Op: "update", Key: key, Value: value, Last: last, TTL: ttl})
	return a.Revision, err
}

func (p parentStash) Delete(ctx context.Context, key string, last uint64) error {
	_, err := p.call(ctx, stashCall{Op: "delete", Key: key, Last: last})
	return err
}

func (p parentStash) Keys(ctx context.Context, prefix string, limit int) (keys []string, more bool, err error) {
	a, err := p.call(ctx, stashCall{Op: "keys", Key: prefix, Limit: limit})
	return a.Keys, a.More, err
}

// check returns the error of a call that need not, or cannot, be sent.
func (c *stashCall) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch c.Op {
	case "keys":
		return stash.CheckKeys(c.Key, c.Limit)
	case "put", "create", "update":
		return stash.CheckWrite(c.Key, c.Value, c.TTL)
	}
	return stash.CheckKey(c.Key)
}

// stashCalls are the calls of the stash by one task in a child.
type stashCalls struct {
	sending sync.Mutex // held while a call is sent; guards ended
	ended   bool       // whether the task has ended

	mu      sync.Mutex // guards following
	last    uint64     // number of the last call
	waiting map[uint64]chan stashAnswer
}

// call makes a call and waits for its answer.
func (s *stashCalls) call(ctx context.Context, t *running, c stashCall) (a stashAnswer, err error) {
	if err := c.check(ctx); err != nil {
		return a, err
	}
	answered := make(chan stashAnswer, 1)
	s.mu.Lock()
	s.last++
	c.Number = s.last
	if s.waiting == nil {
		s.waiting = map[uint64]chan stashAnswer{}
	}
	s.waiting[c.Number] = answered
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, c.Number)
		s.mu.Unlock()
	}()
	if err := s.send(t, &c); err != nil {
		return a, err
	}
	t.server.watch(t) // somebody must read the answer
	select {
	case a = <-answered:
		return a, a.err()
	case <-ctx.Done():
		return a, ctx.Err()
	case <-t.Done(): // ctx may be one that context.WithoutCancel has returned
		return a, errStashOver
	}
}

func (s *stashCalls) send(t *running, c *stashCall) error {
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.ended {
		return errStashOver
	}
	return t.server.out.send(frame{kind: store, id: t.id, payload: payload})
}

// answer gives an answer to the call that waits for it, if it still does.
func (s *stashCalls) answer(payload []byte) error {
	a, err := parseStashAnswer(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if answered := s.waiting[a.Number]; answered != nil {
		delete(s.waiting, a.Number)
		answered <- a // it has room for one
	}
	return nil
}

// end lets no further call be sent.
func (s *stashCalls) end() {
	s.sending.Lock()
	s.ended = true
	s.sending.Unlock()
}
