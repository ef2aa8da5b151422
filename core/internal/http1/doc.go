// Package http1 is an HTTP/1.0 and HTTP/1.1 server engine for connections that wait in a
// [park.Set]. It accepts no connections, and starts no goroutines to serve them: the owner of a
// [Worker] passes it one connection after the other.
//
//	Worker.Serve:  read ► parse ► handler ► one write ─┬─ close
//	                 ▲                                 ├─ more bytes: next request
//	                 └── readable ◄── parked ◄─────────┘  nothing to read: park
//
// A parked connection keeps the header bytes it has sent so far.
//
// The package follows net/http byte for byte, except for Date. The differences are stricter: each
// follows a rule of RFC 9110 or RFC 9112, mostly a MUST, that net/http does not follow:
//
//	RFC 9112 2.2          empty lines before any request line are skipped, not only after a POST
//	RFC 9112 2.2          a bare CR after the body of a POST is not an empty line
//	RFC 9112 3            414, not 431, for a request line that is too long
//	RFC 9112 3.2          400 for a Host that is not a uri-host with an optional port of digits
//	RFC 9112 3.2.3, 3.2.4 400 for the authority-form without CONNECT, and for "*" with a standard
//	                      method other than OPTIONS
//	RFC 9112 5.1          white space in or after the name of a trailer field ends the body with
//	                      an error
//	RFC 9112 6.1          the connection is closed after a request with both Transfer-Encoding and
//	                      Content-Length
//	RFC 9112 6.1          400 for Transfer-Encoding in HTTP/1.0
//	RFC 9112 6.3          400, not 501, if chunked is among the codings but not the last
//	RFC 9112 7.1          a chunk's first line must follow the grammar, except for white space at
//	                      its end, and trailer lines must end in CRLF
//	RFC 9112 8            a truncated body never ends in io.EOF
//	RFC 9112 9.3          an HTTP/1.0 connection with both "close" and "keep-alive" is closed
//	RFC 9112 9.6          when the server closes the connection after a response, the connection
//	                      lingers, so that a client that is still sending can read the response
//	RFC 9110 5.6.1        Connection and Expect are lists: "x close" has no element "close"
//	RFC 9110 6.6.1        these error responses have a Date too (except 501, which a test of
//	                      net/http expects without one)
//	RFC 9110 9.3.6        400 for CONNECT without a port
//	RFC 9110 9.3.6        no Content-Length or Transfer-Encoding in a 2xx response to CONNECT
//	                      (net/http complies since Go 1.26.9)
//	RFC 9110 15.2         an HTTP/1.0 client gets no 1xx response
//	RFC 9110 15.3.6       no content in 205
//
// Some limits exist that net/http does not have and no RFC requires. A header has at most 16,384
// fields (431). Unless the http.Server says otherwise, a connection waits at most 30 seconds for a
// header and 620 seconds for another request. A handler waits at most 60 seconds for a body, or
// for a client reading the response, that makes no progress (Limits.BodyTimeout,
// park.Config.WriteStall).
//
// A worker calls all hooks of its connection, including StateNew and ConnContext, which net/http
// calls in its accept loop. Code that must not wait for the application (the leader, the deadline
// timer, eviction and shutdown) has hooks called through Server.Background: see Conn.EndAside.
//
// A Worker recycles its buffers, writers and scratch maps, and strings, which are immutable. A
// handler cannot reach any of the rest once it has returned. What a handler sees (the request, its
// header and body, the ResponseWriter and the context) is allocated anew for every request, and
// returns errors after the handler has returned. An application that keeps a part of it retains no
// more memory than under net/http: no string is a substring of a longer one unless it is in
// net/http as well, and nothing refers to the Worker or the connection any longer.
//
// The work per byte of a header or of a chunk's line is bounded, however the client segments its
// input. A malformed line is rejected as soon as it is complete.
package http1
