//go:build !linux || load_goroutines

package load

import "net"

// newPlain returns the engine for n connections without TLS. The tag load_goroutines selects it on
// Linux, for tests.
func newPlain(addr *net.TCPAddr, r Request, n int) (engine, error) {
	return newGoroutines(addr, r, n), nil
}
