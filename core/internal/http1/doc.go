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
//	RFC 9112 2.2          empty lines before a request line are skipped, not only after a POST
//	RFC 9112 2.2          a bare CR after the body of a POST is no empty line
//	RFC 9112 3            a request line that is too long is answered with 414, not 431
//	RFC 9112 3.2          400 for a Host that is no uri-host with a port of digits
//	RFC 9112 3.2.3, 3.2.4 400 for the authority-form without CONNECT, and for "*" with another standard method than OPTIONS
//	RFC 9112 5.1          a trailer field with white space in its name, or after it, ends the body with an error
//	RFC 9112 6.1          the connection is closed after a request with Transfer-Encoding and Content-Length
//	RFC 9112 6.1          400 for Transfer-Encoding in HTTP/1.0
//	RFC 9112 6.3          400, not 501, if chunked is among the codings and not the last
//	RFC 9112 7.1          a chunk's first line must be in the grammar, its extensions too, and trailer lines end in CRLF
//	RFC 9112 8            a body that was cut off never ends in io.EOF
//	RFC 9112 9.3          HTTP/1.0 with both "close" and "keep-alive" is closed
//	RFC 9112 9.6          every answer to such requests lingers, so that the client can read it
//	RFC 9110 5.6.1        Connection and Expect are lists: "x close" has no element "close"
//	RFC 9110 6.6.1        Date is on these answers too (but on 501, which a test of net/http's knows without)
//	RFC 9110 9.3.6        400 for CONNECT without a port
//	RFC 9110 9.3.6        no Content-Length and no Transfer-Encoding in 2xx to CONNECT
//	RFC 9110 15.2         an HTTP/1.0 client gets no 1xx answer
//	RFC 9110 15.3.6       no content in 205
//
// And there are bounds where net/http has none, which no RFC asks for: a header has no more than 16,384 fields (431), and
// a connection waits for no more than 30 seconds for a header, and 3 minutes for another request, unless the
// http.Server says otherwise.
//
// What may be recycled belongs to the Worker: buffers, writers, scratch maps; a handler
// can reach none of it once it has returned. What a handler sees - the request, its header and
// body, the ResponseWriter, the context - is made anew for every request, in one piece, and
// answers with errors afterwards.
package http1
