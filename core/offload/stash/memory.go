package stash

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	defaultEntries = 10_000
	defaultBytes   = 64 << 20

	// entryCost is how many bytes an entry counts for beside its key and its value: what it takes
	// in the map and in the heap, and its own fields.
	entryCost = 128
)

// A Config configures a [Memory]. [New] copies it.
type Config struct {
	// Entries is how many entries there may be. Zero means 10,000. Negative is an error.
	Entries int

	// Bytes limits the memory that entries take: the length of their keys and values, and 128 bytes
	// for each entry. Zero means 64 MiB. Negative is an error.
	Bytes int64
}

// A Memory is a [Store] in the memory of this process. Use [New] to create one. It has no goroutine
// and no timer, and need not be closed: each call first removes what has expired. Until the next
// call, expired entries take memory, within the limits.
type Memory struct {
	c     Config    // resolved
	start time.Time // expiries are counted from here

	mu       sync.Mutex // guards the following
	entries  map[string]*entry
	expiring expiries
	bytes    int64
	revision uint64 // of the last write
	expired  uint64
	refused  uint64
}

// An entry belongs to its Memory, and is guarded by the mutex.
type entry struct {
	key      string
	value    []byte // does not change; a write replaces it
	revision uint64
	expires  time.Duration // since Memory.start; zero means never
	index    int           // in Memory.expiring, if expires is not zero
}

// New returns an empty Memory. An error names the invalid field and its value.
func New(c Config) (*Memory, error) {
	switch {
	case c.Entries < 0:
		return nil, fmt.Errorf("stash: Entries is %d, want zero (the default) or more", c.Entries)
	case c.Bytes < 0:
		return nil, fmt.Errorf("stash: Bytes is %d, want zero (the default) or more", c.Bytes)
	}
	c.Entries = cmp.Or(c.Entries, defaultEntries)
	c.Bytes = cmp.Or(c.Bytes, defaultBytes)
	return &Memory{c: c, start: time.Now(), entries: make(map[string]*entry)}, nil
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return nil, 0, err
	}
	m.lock()
	e := m.entries[key]
	if e == nil {
		m.mu.Unlock()
		return nil, 0, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	value, revision = e.value, e.revision
	m.mu.Unlock()
	return bytes.Clone(value), revision, nil
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	return m.write(ctx, key, value, ttl, func(*entry) bool { return true })
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	return m.write(ctx, key, value, ttl, func(e *entry) bool { return e == nil })
}

// Update implements [Store].
func (m *Memory) Update(ctx context.Context, key string, value []byte, last uint64, ttl time.Duration) (revision uint64, err error) {
	return m.write(ctx, key, value, ttl, func(e *entry) bool { return e != nil && e.revision == last })
}

// write writes an entry if expected returns true for the present one, which is nil if there is
// none.
func (m *Memory) write(ctx context.Context, key string, value []byte, ttl time.Duration, expected func(*entry) bool) (uint64, error) {
	if err := cmp.Or(CheckWrite(key, value, ttl), ctx.Err()); err != nil {
		return 0, err
	}
	value = slices.Clone(value)
	now := m.lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if !expected(e) {
		return 0, conflict(key, e)
	}
	more, err := m.growthLocked(e, key, value)
	if err != nil {
		return 0, err
	}
	if e == nil {
		e = &entry{key: strings.Clone(key)} // key may be a part of something large
		m.entries[e.key] = e
	}
	m.bytes += more
	m.revision++
	e.value, e.revision = value, m.revision
	m.expireLocked(e, now, ttl)
	return e.revision, nil
}

// growthLocked returns by how much a write of value to e, or to a new entry if e is nil, increases
// m.bytes. The error says that the write would exceed a limit.
func (m *Memory) growthLocked(e *entry, key string, value []byte) (more int64, err error) {
	more = costOf(key, value)
	if e != nil {
		more -= costOf(key, e.value)
	}
	switch {
	case e == nil && len(m.entries) >= m.c.Entries:
		m.refused++
		return 0, fmt.Errorf("%w: Entries is %d", ErrFull, m.c.Entries)
	case more > 0 && more > m.c.Bytes-m.bytes:
		m.refused++
		return 0, fmt.Errorf("%w: Bytes is %d, of which %d are in use, and %s needs %d more", ErrFull, m.c.Bytes, m.bytes, key, more)
	}
	return more, nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, key string, last uint64) error {
	if err := cmp.Or(CheckKey(key), ctx.Err()); err != nil {
		return err
	}
	m.lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if last != 0 && (e == nil || e.revision != last) {
		return conflict(key, e)
	}
	if e != nil {
		m.revision++
		m.removeLocked(e)
	}
	return nil
}

// Keys implements [Store].
func (m *Memory) Keys(ctx context.Context, prefix string, limit int) (keys []string, more bool, err error) {
	if err := cmp.Or(CheckKeys(prefix, limit), ctx.Err()); err != nil {
		return nil, false, err
	}
	m.lock()
	for key := range m.entries {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if more = len(keys) == limit; more {
			break
		}
		keys = append(keys, key)
	}
	m.mu.Unlock()
	slices.Sort(keys)
	return keys, more, nil
}

// removeLocked removes e.
func (m *Memory) removeLocked(e *entry) {
	m.expireLocked(e, 0, 0)
	delete(m.entries, e.key)
	m.bytes -= costOf(e.key, e.value)
}

// costOf returns how many bytes an entry counts for.
func costOf(key string, value []byte) int64 { return entryCost + int64(len(key)+len(value)) }

// conflict returns the error for a write that did not expect e, the present entry or nil.
func conflict(key string, e *entry) error {
	if e == nil {
		return fmt.Errorf("%w: %s does not exist", ErrConflict, key)
	}
	return fmt.Errorf("%w: %s has revision %d", ErrConflict, key, e.revision)
}

// MemoryStats is a snapshot of a [Memory].
type MemoryStats struct {
	Entries int
	Bytes   int64  // as limited by Config.Bytes
	Expired uint64 // entries that have expired since New
	Refused uint64 // writes that got ErrFull since New
}

// Stats returns m's counters at one moment.
func (m *Memory) Stats() MemoryStats {
	m.lock()
	defer m.mu.Unlock()
	return MemoryStats{Entries: len(m.entries), Bytes: m.bytes, Expired: m.expired, Refused: m.refused}
}
