package stash

import (
	"context"
	"errors"
	"time"
)

// A Store holds entries. Its methods may be called from several goroutines at once. A call sees
// every write that ended before it began. The package comment describes keys, values and revisions.
//
// A method returns an error that matches [ErrInvalid] if an argument is not acceptable, and ctx's
// error if ctx has ended before the store did anything. The error of a store that is not in this
// process may be another one, for example because the connection is lost; a write may then have
// happened or not.
//
// ttl is how long an entry exists after the write. Zero means until it is deleted, and negative is
// invalid. Each write sets the time anew, or ends it. A store may round ttl up to whole seconds.
type Store interface {
	// Get returns the value and the revision of key's entry. If there is none, the error matches
	// [ErrNotFound].
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)

	// Put writes an entry, whether or not there is one already, and returns its revision.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error)

	// Create writes an entry if there is none, and returns its revision. If there is one, the error
	// matches [ErrConflict].
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (revision uint64, err error)

	// Update writes an entry if there is one with revision last, and returns its new revision.
	// Otherwise, and so also if there is no entry or last is zero, the error matches ErrConflict.
	Update(ctx context.Context, key string, value []byte, last uint64, ttl time.Duration) (revision uint64, err error)

	// Delete deletes key's entry. If last is not zero and the entry has another revision, or does
	// not exist, the error matches ErrConflict. If last is zero, it is no error if there is no
	// entry.
	Delete(ctx context.Context, key string, last uint64) error

	// Keys returns the keys that begin with prefix, sorted, but at most limit of them; more reports
	// whether there are others. It does not say which ones it leaves out. prefix may be empty or
	// have the characters of a key; limit must be at least 1. Writes during the call may be
	// included or not.
	Keys(ctx context.Context, prefix string, limit int) (keys []string, more bool, err error)
}

var (
	// ErrNotFound reports that there is no entry.
	ErrNotFound = errors.New("stash: no such entry")

	// ErrConflict reports that an entry exists, or does not, or has another revision than the
	// caller expected.
	ErrConflict = errors.New("stash: conflict")

	// ErrFull reports that a write would exceed a limit on the whole store. The text of an error
	// that wraps it names the limit.
	ErrFull = errors.New("stash: full")

	// ErrInvalid reports an argument that no store accepts. The text of an error that wraps it
	// names the argument.
	ErrInvalid = errors.New("stash: invalid argument")
)
