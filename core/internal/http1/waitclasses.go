package http1

import "github.com/recycling-go/recycling/core/internal/park"

// What a connection waits for. Each has a timeout: see Server.Timeouts.
const (
	ForHello  = park.None + 1 + iota // a TLS client's first bytes
	ForFirst                         // the complete header of the first request
	ForHeader                        // likewise, of a later request
	ForNext                          // the first bytes of a later request
	ForGrace                         // the first request, while the server drains
	ForClose                         // the client closes its side too, after the last response
	ForProxy                         // the header of a proxy
)

// parkClass returns the class in which a connection in phase p waits. The flag nothing says that
// the connection has not sent any byte of a request yet. If ok is false, the connection may not
// wait.
func (s *Server) parkClass(p phase, nothing bool) (class park.Class, ok bool) {
	switch {
	case p == fresh && !s.Draining():
		return ForHello, true
	case p == expecting && !s.Draining():
		return ForProxy, true
	case !nothing && p == keptAlive:
		return ForHeader, true
	case !nothing && p != fresh && p != expecting:
		return ForFirst, true
	case p == keptAlive:
		return ForNext, s.keepAlives()
	case s.Draining():
		return ForGrace, true
	}
	return ForFirst, true
}
