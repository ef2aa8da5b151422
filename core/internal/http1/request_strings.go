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

	host string // the last one that validHost has accepted, unless that was too long
}

// validHost is the function validHost, and remembers its last result.
func (s *stringCache) validHost(host string) bool {
	if host == s.host && host != "" {
		return true
	}
	if !validHost(host) {
		return false
	}
	if len(host) <= maxCachedLen {
		s.host = host
	}
	return true
}

// knownName returns b as a string if it is one of the names that clients and proxies often send, in
// canonical form, and otherwise "".
func knownName(b []byte) string {
	switch string(b) {
	case "Accept":
		return "Accept"
	case "Accept-Encoding":
		return "Accept-Encoding"
	case "Accept-Language":
		return "Accept-Language"
	case "Authorization":
		return "Authorization"
	case "Cache-Control":
		return "Cache-Control"
	case "Connection":
		return "Connection"
	case "Content-Length":
		return "Content-Length"
	case "Content-Type":
		return "Content-Type"
	case "Cookie":
		return "Cookie"
	case "Host":
		return "Host"
	case "If-None-Match":
		return "If-None-Match"
	case "Origin":
		return "Origin"
	case "Referer":
		return "Referer"
	case "User-Agent":
		return "User-Agent"
	case "X-Forwarded-For":
		return "X-Forwarded-For"
	case "X-Forwarded-Proto":
		return "X-Forwarded-Proto"
	}
	return ""
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
