package child_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/stash/stashtest"
)

// A stashOp is a call of a store, and a stashResult its result.
type (
	stashOp struct {
		Op    string
		Key   []byte // because it may not be UTF-8
		Value []byte
		TTL   time.Duration
		Last  uint64
		Limit int
	}
	stashResult struct {
		Value    []byte
		Revision uint64
		Keys     []string
		More     bool
		Err, Is  string
	}
)

var sentinels = map[string]error{
	"not found": stash.ErrNotFound, "conflict": stash.ErrConflict, "full": stash.ErrFull, "invalid": stash.ErrInvalid,
}

func stashingOf(ctx context.Context, op stashOp) (r stashResult, _ error) {
	s := child.Stash(nil)
	var err error
	switch key := string(op.Key); op.Op {
	case "get":
		r.Value, r.Revision, err = s.Get(ctx, key)
	case "put":
		r.Revision, err = s.Put(ctx, key, op.Value, op.TTL)
	case "create":
		r.Revision, err = s.Create(ctx, key, op.Value, op.TTL)
	case "update":
		r.Revision, err = s.Update(ctx, key, op.Value, op.Last, op.TTL)
	case "delete":
		err = s.Delete(ctx, key, op.Last)
	case "keys":
		r.Keys, r.More, err = s.Keys(ctx, key, op.Limit)
	}
	if err != nil {
		r.Err = err.Error()
		for name, is := range sentinels {
			if errors.Is(err, is) {
				r.Is = name
			}
		}
	}
	return r, nil
}

// A distant store makes each call in a task in a child, which makes it of the store of the parent.
type distant struct{ place *child.Place }

func (d distant) do(ctx context.Context, op stashOp) (stashResult, error) {
	r, err := stashing.Do(ctx, d.place, op)
	if err == nil && r.Is != "" {
		err = sentinels[r.Is]
	} else if err == nil && r.Err != "" {
		err = errors.New(r.Err)
	}
	return r, err
}

func (d distant) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	r, err := d.do(ctx, stashOp{Op: "get", Key: []byte(key)})
	return r.Value, r.Revision, err
}

func (d distant) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	r, err := d.do(ctx, stashOp{Op: "put", Key: []byte(key), Value: value, TTL: ttl})
	return r.Revision, err
}

func (d distant) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	r, err := d.do(ctx, stashOp{Op: "create", Key: []byte(key), Value: value, TTL: ttl})
	return r.Revision, err
}

func (d distant) Update(ctx context.Context, key string, value []byte, last uint64, ttl time.Duration) (uint64, error) {
	r, err := d.do(ctx, stashOp{Op: "update", Key: []byte(key), Value: value, Last: last, TTL: ttl})
	return r.Revision, err
}

func (d distant) Delete(ctx context.Context, key string, last uint64) error {
	_, err := d.do(ctx, stashOp{Op: "delete", Key: []byte(key), Last: last})
	return err
}

func (d distant) Keys(ctx context.Context, prefix string, limit int) ([]string, bool, error) {
	r, err := d.do(ctx, stashOp{Op: "keys", Key: []byte(prefix), Limit: limit})
	return r.Keys, r.More, err
}

func newStash(t testing.TB) *stash.Memory {
	m, err := stash.New(stash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStashOfTheParentIsAStore(t *testing.T) {
	stashtest.Run(t, func(t testing.TB) stash.Store {
		c := workers(2)
		c.Stash = newStash(t)
		return distant{open(t, c)}
	})
}

// Tasks in several children change one entry.
func TestChildrenShareAStash(t *testing.T) {
	c := workers(3)
	c.Stash = newStash(t)
	p := open(t, c)
	const tasks, each = 6, 50
	errs := make(chan error, tasks)
	for range tasks {
		go func() { _, err := sharing.Do(ctx, p, each); errs <- err }()
	}
	for range tasks {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n, _, err := stash.GetJSON[int](ctx, c.Stash, "count"); n != tasks*each || err != nil {
		t.Errorf("%d, %v; want %d", n, err, tasks*each)
	}
}

func TestStashThatIsNotThere(t *testing.T) {
	r, err := stashing.Do(ctx, open(t, workers(1)), stashOp{Op: "get", Key: []byte("k")})
	if err != nil || r.Err != "child: Config.Stash is nil, so there is no stash for tasks" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := child.Stash(nil).Get(ctx, "k"); err == nil {
		t.Error("no error without a stash")
	}
	own := newStash(t)
	own.Put(ctx, "k", []byte("own"), 0)
	if v, _, err := child.Stash(own).Get(ctx, "k"); string(v) != "own" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}
