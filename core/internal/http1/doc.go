// Package http1 is an HTTP/1.0 and HTTP/1.1 server engine for connections that are kept in a
// [park.Set] while they wait. It accepts nothing and starts no goroutine: whoever has
// a [Worker] gives it connections, one after the other.
//
//	Worker.Serve:  read ► parse ► handler ► one write ─┬─ close
//	                 ▲                                 ├─ more bytes are there: next request
//	                 └── readable ◄── parked ◄─────────┘  nothing to read: park, with the header bytes so far
//
// The contract is net/http's, byte for byte except Date. What differs is stricter, and RFC 9110 or
// RFC 9112 says MUST where net/http does not:
//
//	RFC 9112 2.2    empty lines before a request line are skipped, not only after a POST
//	RFC 9112 3      a request line beyond MaxHeaderBytes is answered with 414, not 431
//	RFC 9110 15.2   an HTTP/1.0 client gets no 1xx answer
//	RFC 9110 6.6.1  Date is on every answer, those to malformed requests included
//	RFC 9112 9.6    every such answer lingers, so that the client can read it
//
// What may be recycled belongs to the Worker: buffers, writers, scratch maps; a handler
// can reach none of it once it has returned. What a handler sees - the request, its header and
// body, the ResponseWriter, the context - is made anew for every request, in one piece, and
// answers with errors afterwards.
package http1
