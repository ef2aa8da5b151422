package listener

import (
	"net"
	"strconv"
	"sync"
	"time"
)

// zoneTTL is how long the name of an interface is cached, as in package net.
const zoneTTL = time.Minute

// zones caches the names of interfaces, which take several system calls to look up. The indexes
// come from the kernel, so there are no more entries than interfaces that have existed.
var zones struct {
	mu    sync.Mutex // guards following
	names map[uint32]zone
}

type zone struct {
	name  string
	until time.Time
}

// zoneName returns the name of an interface, or its index if it has no name, as package net does.
func zoneName(index uint32) string {
	now := time.Now()
	zones.mu.Lock()
	z, ok := zones.names[index]
	zones.mu.Unlock()
	if ok && now.Before(z.until) {
		return z.name
	}
	ifi, err := net.InterfaceByIndex(int(index))
	if err != nil {
		return strconv.FormatUint(uint64(index), 10)
	}
	zones.mu.Lock()
	defer zones.mu.Unlock()
	if zones.names == nil {
		zones.names = make(map[uint32]zone)
	}
	zones.names[index] = zone{ifi.Name, now.Add(zoneTTL)}
	return ifi.Name
}
