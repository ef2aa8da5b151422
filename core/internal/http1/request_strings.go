package http1

import "hash/maphash"

// A worker keeps up to cacheSets * cacheWays strings, each no longer than maxCachedLen.
const (
	cacheSets    = 32
	cacheWays    = 4
	maxCachedLen = 128
)

// A stringCache caches strings of earlier requests. Clients send the same names and values again
// and again, and without the cache each of them would be an allocation.
//
// A single string for the whole header would also be a single allocation. But an application that
// keeps ten bytes of it would keep all of it in memory, and the client chooses the header's length.
type stringCache struct {
	seed maphash.Seed
	sets [cacheSets][cacheWays]string // each starts with the latest
}

// text returns b as a string.
func (s *stringCache) text(b []byte) string {
	if len(b) == 0 || len(b) > maxCachedLen {
		return string(b)
	}
	set := &s.sets[maphash.Bytes(s.seed, b)%cacheSets]
	for i := range set {
		if set[i] == string(b) {
			return set[i]
		}
	}
	copy(set[1:], set[:])
	set[0] = string(b)
	return set[0]
}
