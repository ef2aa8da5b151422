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
