// Package recycling serves HTTP for a router on workers that are kept and recycled, where net/http starts a
// goroutine for every connection.
//
// [Serve] is a whole server in one line. [Server] is the same with settings: it takes an [http.Server], and
// has its methods. Handlers, hooks and errors stay those of net/http; bounds and default timeouts are added. The [Strategy] says
// how connections get a goroutine:
//
//	Recycling   workers take turns. One leads: it waits for everybody, accepts, and queues what is ready;
//	            the others serve. A connection that waits for its next request holds no worker and no buffer.
//	Goroutine   net/http itself. It is the way back, and the control in tests and benchmarks.
//	Pool        a fixed number of workers, each of which keeps its connection until that ends. The queue is
//	            bounded; beyond it, connections are answered with 503.
//
// Where the server is stricter than net/http, RFC 9110 or RFC 9112 says MUST; the table is in the comment of
// package http1, in internal/http1. How connections wait is told by package park, in internal/park, and how
// workers are managed by package pool, which can be used alone.
//
// # A connection's way
//
//	fleet      listeners and connections of one Server, and how they end: fleet.go, accept.go
//	crew       who serves them: a gang of recycled workers with an epoll set (recycle.go), or threads (threads.go)
//	park.Conn  the connection, and who it belongs to
//	http1      its requests
//
// A connection of a listener with a descriptor is accepted by the leading worker, and belongs to one worker or
// to the epoll set, with TLS by ServeTLS as well. Any other connection - of a listener of package tls, in-memory, on another
// system than Linux - is accepted one by one and keeps its worker until it ends.
//
// # TLS
//
// A TLS connection parks before its handshake, until all of the client's first record is there, and between requests:
// package tls keeps what it has of a record, so that a read which would have to wait can be given up. A handshake
// cannot be given up. It waits on a goroutine that is recycled too, but is no worker (recycle.go).
//
// # Under net/http's own server
//
// [Server.Listener] is for code that calls http.Server.Serve itself. Whether that server is being shut down or closed, which
// must not be mixed up, is told by who calls the listener's Close: a function of RegisterOnShutdown would
// know too, but only when its goroutine gets to run (listener.go).
package recycling
