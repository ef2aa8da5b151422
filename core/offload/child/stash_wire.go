package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

// maxStore is the size of the largest call of the stash: a value in base64, and the rest.
const maxStore = (stash.MaxValue+2)/3*4 + 16<<10

// A stashCall is the payload of a frame store to the parent, as JSON.
type stashCall struct {
	Number uint64 `json:"n"` // of the calls of the task
	Op     string `json:"op"`

	Key   string        `json:"key,omitempty"` // or the prefix, of Keys
	Value []byte        `json:"value,omitempty"`
	TTL   time.Duration `json:"ttl,omitempty"`
	Last  uint64        `json:"last,omitempty"`
	Limit int           `json:"limit,omitempty"`
}

// A stashAnswer is the payload of a frame store to the child, as JSON.
type stashAnswer struct {
	Number   uint64   `json:"n"`
	Value    []byte   `json:"value,omitempty"`
	Revision uint64   `json:"revision,omitempty"`
	Keys     []string `json:"keys,omitempty"`
	More     bool     `json:"more,omitempty"`

	Error string `json:"error,omitempty"` // its text
	Is    string `json:"is,omitempty"`    // the name of the error that it matches, if there is one
}

// stashErrors are the errors that have a meaning on the other side, by name.
var stashErrors = map[string]error{
	"not found": stash.ErrNotFound,
	"conflict":  stash.ErrConflict,
	"full":      stash.ErrFull,
	"invalid":   stash.ErrInvalid,
	"canceled":  context.Canceled,
	"timeout":   context.DeadlineExceeded,
}

var errNoStash = errors.New("child: Config.Stash is nil, so there is no stash for tasks")

// do makes the call of s, which may be nil, on the parent's side.
func (c *stashCall) do(ctx context.Context, s stash.Store) *stashAnswer {
	a := &stashAnswer{Number: c.Number}
	err := errNoStash
	if s != nil {
		err = c.on(ctx, s, a)
	}
	if err == nil {
		return a
	}
	a.Error = err.Error()
	for name, is := range stashErrors {
		if errors.Is(err, is) {
			a.Is = name
		}
	}
	return a
}

// on makes the call on s, in this process, and sets the result in a.
func (c *stashCall) on(ctx context.Context, s stash.Store, a *stashAnswer) (err error) {
	switch c.Op {
	case "get":
		a.Value, a.Revision, err = s.Get(ctx, c.Key)
	case "put":
		a.Revision, err = s.Put(ctx, c.Key, c.Value, c.TTL)
	case "create":
		a.Revision, err = s.Create(ctx, c.Key, c.Value, c.TTL)
	case "update":
		a.Revision, err = s.Update(ctx, c.Key, c.Value, c.Last, c.TTL)
	case "delete":
		err = s.Delete(ctx, c.Key, c.Last)
	case "keys":
		a.Keys, a.More, err = s.Keys(ctx, c.Key, c.Limit)
	default:
		err = fmt.Errorf("%w: operation %q", stash.ErrInvalid, c.Op)
	}
	return err
}

// err returns the error of the call on the child's side.
func (a *stashAnswer) err() error {
	if a.Error == "" {
		return nil
	}
	if is := stashErrors[a.Is]; is != nil {
		return &stashError{a.Error, is}
	}
	return errors.New(a.Error)
}

// A stashError is an error of the parent's store.
type stashError struct {
	text string
	is   error
}

func (e *stashError) Error() string { return e.text }
func (e *stashError) Unwrap() error { return e.is }

func parseStashCall(b []byte) (c stashCall, err error) {
	if err = json.Unmarshal(b, &c); err != nil {
		err = fmt.Errorf("an invalid call of the stash: %w", err)
	}
	return c, err
}

func parseStashAnswer(b []byte) (a stashAnswer, err error) {
	if err = json.Unmarshal(b, &a); err != nil {
		err = fmt.Errorf("child: an invalid answer of the stash: %w", err)
	}
	return a, err
}
