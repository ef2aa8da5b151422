package stash

import (
	"fmt"
	"strings"
	"time"
)

const (
	// MaxKey is the length of the longest key, in bytes.
	MaxKey = 256
	// MaxValue is the length of the longest value, in bytes. It is less than the 1 MiB that a
	// message of NATS has by default.
	MaxValue = 512 << 10
)

// CheckKey returns nil if key may be the key of an entry, and otherwise an error that wraps
// [ErrInvalid]. It is for implementations of [Store], like the other Check functions.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: the key is empty", ErrInvalid)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: the key has %d bytes, more than %d", ErrInvalid, len(key), MaxKey)
	case strings.HasPrefix(key, reserved):
		return fmt.Errorf("%w: key %q begins with %q", ErrInvalid, key, reserved)
	case key[0] == '.' || key[len(key)-1] == '.' || strings.Contains(key, ".."):
		return fmt.Errorf("%w: key %q has a dot at its beginning or end, or two in a row", ErrInvalid, key)
	}
	return checkCharacters("key", key)
}

// reserved is the prefix of keys that clients of NATS use for themselves: see ADR-8 of NATS.
const reserved = "_kv"

// CheckKeys returns nil if prefix and limit are acceptable to [Store.Keys], and otherwise an error
// that wraps [ErrInvalid].
func CheckKeys(prefix string, limit int) error {
	switch {
	case limit < 1:
		return fmt.Errorf("%w: limit is %d, want at least 1", ErrInvalid, limit)
	case len(prefix) > MaxKey:
		return fmt.Errorf("%w: the prefix has %d bytes, more than %d", ErrInvalid, len(prefix), MaxKey)
	}
	return checkCharacters("prefix", prefix)
}

func checkCharacters(what, s string) error {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '/', c == '_', c == '=', c == '.':
		default:
			return fmt.Errorf("%w: %s %q contains %q, want letters, digits or any of -/_=. in it", ErrInvalid, what, s, s[i:i+1])
		}
	}
	return nil
}

// CheckWrite returns nil if an entry may have this key, this value and this time to live, and
// otherwise an error that wraps [ErrInvalid].
func CheckWrite(key string, value []byte, ttl time.Duration) error {
	switch {
	case len(value) > MaxValue:
		return fmt.Errorf("%w: the value has %d bytes, more than %d", ErrInvalid, len(value), MaxValue)
	case ttl < 0:
		return fmt.Errorf("%w: ttl is %v, want zero (no limit) or more", ErrInvalid, ttl)
	}
	return CheckKey(key)
}
