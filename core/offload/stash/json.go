package stash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// GetJSON is s.Get for a value that [PutJSON] or [ModifyJSON] wrote. If the value is not JSON for a
// T, GetJSON returns an error and zero values.
func GetJSON[T any](ctx context.Context, s Store, key string) (v T, revision uint64, err error) {
	b, revision, err := s.Get(ctx, key)
	if err != nil {
		return v, 0, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		var zero T
		return zero, 0, fmt.Errorf("stash: value of %s: %w", key, err)
	}
	return v, revision, nil
}

// PutJSON is s.Put with v as JSON. If v cannot be encoded, PutJSON returns an error and writes
// nothing.
func PutJSON[T any](ctx context.Context, s Store, key string, v T, ttl time.Duration) (revision uint64, err error) {
	b, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("stash: value of %s: %w", key, err)
	}
	return s.Put(ctx, key, b, ttl)
}

// ModifyJSON replaces the value of an entry by what change returns for it, and returns the new
// value. If there is no entry, change gets the zero value, and the entry is created. ttl is that of
// the new entry.
//
// If somebody else writes meanwhile, ModifyJSON starts again, and so change may be called more than
// once. Each time, another writer has made progress; there is no limit but ctx. If change returns
// an error, ModifyJSON returns that error and writes nothing.
func ModifyJSON[T any](ctx context.Context, s Store, key string, ttl time.Duration, change func(T) (T, error)) (T, error) {
	var zero T
	for {
		v, last, err := GetJSON[T](ctx, s, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return zero, err
		}
		exists := err == nil
		if v, err = change(v); err != nil {
			return zero, err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return zero, fmt.Errorf("stash: value of %s: %w", key, err)
		}
		if exists {
			_, err = s.Update(ctx, key, b, last, ttl)
		} else {
			_, err = s.Create(ctx, key, b, ttl)
		}
		switch {
		case err == nil:
			return v, nil
		case !errors.Is(err, ErrConflict):
			return zero, err
		}
	}
}
