package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A Stash is a [stash.Store] on NATS' key-value store: all processes that are connected to the same
// NATS share its entries. [Client.Stash] creates it. If NATS cannot be reached, methods return an
// error when their context ends, or after 5 seconds.
type Stash struct {
	c    *Client
	name string
	kv   jetstream.KeyValue
}

var _ stash.Store = (*Stash)(nil)

const markerTTL = time.Minute // how long a deleted key is remembered

// Stash opens the stash with a name, which is created if it does not exist yet. Name has 1 to 64
// letters, digits, _ and -. maxBytes is how much its entries may take; zero means 64 MiB.
func (c *Client) Stash(ctx context.Context, name string, maxBytes int64) (*Stash, error) {
	switch {
	case !task.ValidName(name):
		return nil, fmt.Errorf("recyclingnats: name of a stash is %q, want 1 to %d letters, digits, _ and -", name, task.MaxName)
	case maxBytes < 0:
		return nil, fmt.Errorf("recyclingnats: maxBytes is %d, want zero (the default) or more", maxBytes)
	case maxBytes == 0:
		maxBytes = 64 << 20
	}
	s := &Stash{c: c, name: c.c.Name + "-stash-" + name}
	var err error
	if s.kv, err = c.bucket(ctx, s.name, "a stash of tasks", maxBytes, 0); err != nil {
		return nil, fmt.Errorf("recyclingnats: stash %s: %w", name, err)
	}
	return s, nil
}

// Get is that of [stash.Store].
func (s *Stash) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if err := stash.CheckKey(key); err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	e, err := s.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, stash.ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	return e.Value(), e.Revision(), nil
}

// Put is that of [stash.Store].
func (s *Stash) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	return s.write(ctx, key, value, ttl)
}

// Create is that of [stash.Store].
func (s *Stash) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	for {
		revision, err := s.write(ctx, key, value, ttl, jetstream.WithExpectLastSequencePerSubject(0))
		if !errors.Is(err, stash.ErrConflict) {
			return revision, err
		}
		// What is there may be the mark that an entry was deleted, or has expired.
		last, err := s.marker(ctx, key)
		if err != nil {
			return 0, err
		}
		if last == 0 {
			continue // the mark has expired
		}
		revision, err = s.write(ctx, key, value, ttl, jetstream.WithExpectLastSequencePerSubject(last))
		if !errors.Is(err, stash.ErrConflict) {
			return revision, err
		}
	}
}

// marker returns the revision of the mark of an entry that was deleted, or zero if there is
// nothing. If there is an entry, the error is ErrConflict.
func (s *Stash) marker(ctx context.Context, key string) (uint64, error) {
	stream, err := s.c.js.Stream(ctx, "KV_"+s.name)
	if err != nil {
		return 0, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, s.subject(key))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case m.Header.Get("KV-Operation") == "" && m.Header.Get(jetstream.MarkerReasonHeader) == "":
		return 0, stash.ErrConflict
	}
	return m.Sequence, nil
}

// Update is that of [stash.Store].
func (s *Stash) Update(ctx context.Context, key string, value []byte, last uint64, ttl time.Duration) (uint64, error) {
	if err := stash.CheckWrite(key, value, ttl); err != nil {
		return 0, err
	}
	if last == 0 {
		return 0, errors.Join(ctx.Err(), stash.ErrConflict)
	}
	return s.write(ctx, key, value, ttl, jetstream.WithExpectLastSequencePerSubject(last))
}

func (s *Stash) subject(key string) string { return "$KV." + s.name + "." + key }

// write publishes to the bucket's stream, because the methods of jetstream.KeyValue that replace an
// entry cannot give it a time to live.
func (s *Stash) write(ctx context.Context, key string, value []byte, ttl time.Duration, o ...jetstream.PublishOpt) (uint64, error) {
	if err := stash.CheckWrite(key, value, ttl); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if ttl > 0 {
		seconds := ttl / time.Second
		if ttl%time.Second > 0 {
			seconds++
		}
		o = append(o, jetstream.WithMsgTTL(seconds*time.Second))
	}
	ack, err := s.c.js.PublishMsg(ctx, &nats.Msg{Subject: s.subject(key), Data: value}, o...)
	if err != nil {
		return 0, stashError(err)
	}
	return ack.Sequence, nil
}

// stashError returns the error of package stash that an error of JetStream means.
func stashError(err error) error {
	switch {
	case conflict(err):
		return fmt.Errorf("%w: %w", stash.ErrConflict, err)
	case full(err):
		return fmt.Errorf("%w: %w", stash.ErrFull, err)
	}
	return err
}

// Delete is that of [stash.Store].
func (s *Stash) Delete(ctx context.Context, key string, last uint64) error {
	if err := stash.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o := []jetstream.KVDeleteOpt{jetstream.PurgeTTL(markerTTL)}
	if last != 0 {
		o = append(o, jetstream.LastRevision(last))
	}
	return stashError(s.kv.Purge(ctx, key, o...))
}

// Keys is that of [stash.Store].
func (s *Stash) Keys(ctx context.Context, prefix string, limit int) ([]string, bool, error) {
	if err := stash.CheckKeys(prefix, limit); err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	// JetStream can look for whole tokens only.
	filter := ">"
	if i := strings.LastIndexByte(prefix, '.'); i > 0 && !strings.Contains(prefix, "..") && prefix[0] != '.' {
		filter = prefix[:i+1] + ">"
	}
	l, err := s.kv.ListKeysFiltered(ctx, filter)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = l.Stop() }()
	var keys []string
	for key := range l.Keys() {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if len(keys) == limit {
			slices.Sort(keys)
			return keys, true, nil
		}
		keys = append(keys, key)
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err // the list may not be complete
	}
	slices.Sort(keys)
	return keys, false, nil
}
