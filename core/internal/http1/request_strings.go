package http1

import "hash/maphash"

// A worker keeps up to seenSets * seenWays strings, each no longer than seenLen.
const (
	seenSets = 32
	seenWays = 4
	seenLen  = 128
)

// A seenTexts caches strings of earlier requests. Clients send the same names and values again and
// again, and without the cache each of them would be an allocation.
//
// A single string for the whole header would also be a single allocation. But an application that
// keeps ten bytes of it would keep all of it in memory, and the client chooses the header's length.
type seenTexts struct {
	seed maphash.Seed
	sets [seenSets][seenWays]string // each starts with the latest
}

// text returns b as a string.
func (s *seenTexts) text(b []byte) string {
	if len(b) == 0 || len(b) > seenLen {
		return string(b)
	}
	set := &s.sets[maphash.Bytes(s.seed, b)%seenSets]
	for i := range set {
		if set[i] == string(b) {
			return set[i]
		}
	}
	copy(set[1:], set[:])
	set[0] = string(b)
	return set[0]
}
