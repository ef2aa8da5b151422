// Package recycling serves HTTP on a pool of recycled workers, where net/http starts a goroutine
// for each connection.
//
// [Serve] is a whole server in one line. [Server] adds settings: it wraps an [http.Server] and has
// its methods. Handlers, hooks and errors are those of net/http; the package adds limits and
// default timeouts. The [Strategy] says which goroutine serves a connection:
//
//	Recycling   Workers take turns leading: the leader waits on behalf of all of them, accepts
//	            connections, queues those that are ready for other workers, and serves one itself.
//	            A connection that waits for its next request holds no worker and no buffer.
//	Goroutine   net/http itself: a fallback, and the control in tests and benchmarks.
//	Fixed       At most MaxWorkers workers, each of which keeps its connection until it closes. The
//	            queue is bounded; when it is full, new connections get a 503 response.
//
// Package park, in internal/park, describes how connections wait. Package pool, which can be used
// alone, describes how workers are managed.
//
// # Differences from net/http
//
// Responses are those of net/http, byte for byte, except for Date and for the following rules of
// RFC 9110 and RFC 9112, mostly MUSTs, that net/http does not follow:
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
// fields (431); with Go 1.27, the limit is http.Server.MaxHeaderValueCount instead, as in net/http.
// Unless the http.Server says otherwise, a connection waits at most 30 seconds for a header, 620
// seconds for another request, and 10 seconds each for the first record of a TLS handshake and for
// the rest of it. A handler waits at most 60 seconds for a body that makes no progress, and about
// as long for a client that does not read the response: see [Limits].
//
// # The log
//
// When a Server begins to do one of the following, and when it has not done so for 5 seconds,
// [Server.Log] gets a line at level Warn. Meanwhile there is another line every minute. After the
// message, this lists the reasons:
//
//	refusing connections            MaxConns with RefuseConns, MaxConnsPerIP, MaxQueue, QueueWait,
//	                                or descriptors: no file descriptor is left
//	closing connections to make room
//	                                MaxConns, or descriptors
//	holding connections back        MaxConns: accepting pauses; or "refusals in progress": too many
//	                                refused connections have not been closed yet
//
// The keys are reason, one of these, and limit, its value. All lines but the first also have count,
// how often this has happened since it began, and duration. [Stats] has the totals. For example:
//
//	WARN recycling: refusing connections reason=MaxQueue limit=99
//	WARN recycling: no longer refusing connections reason=MaxQueue limit=99 count=5 duration=1.2s
//
// Errors are logged as by net/http, which logs a line for each. But of the following kinds, at most
// 100 lines are logged in 10 seconds, and then one that says how many were suppressed:
//
//	http: TLS handshake error   for all listeners together
//	http: Accept error          for each listener or shard
//	http: epoll_ctl, epoll_pwait
//	                            for each shard
//
// Of PROXY protocol errors, at most ten are logged in a second. Mistakes of handlers, such as
// panics, are all logged, and so is what net/http logs about HTTP/2.
//
// # The path of a connection
//
// A Server has an engine, in internal/engine:
//
//	engine.Engine  the listeners and connections of one Server, and how they end
//	scheduler      gives connections to workers: a shard of recycled workers with an epoll set,
//	               or a fixed pool
//	connLimiter    decides which connections may stay
//	overload       counts and logs what happens for lack of room
//	queueLimiter   decides which connections may wait for a worker, in all shards together
//	park.Conn      the connection, and who owns it
//	http1          its requests
//
// Under [Recycling], if a listener has a descriptor, the leading worker accepts its connections,
// and each connection belongs to one worker or to the epoll set. That includes TLS connections of
// ServeTLS, and of a tls.NewListener on such a listener. All other connections are accepted one by
// one, and each keeps its worker until it closes: those in memory, those of a listener without a
// descriptor of its own, such as one that wraps another, those on a system other than Linux, and
// all connections under [Fixed].
//
// From the moment that epoll reports a parked connection, the calls under [Recycling] are:
//
//	park.Set.Lead              the leader takes the connection from the epoll set
//	shard.lead                 queueLimiter.admit refuses it if the queue is full
//	pool.Pool                  queues it; a worker calls the function of engine.work
//	http1.Worker.Serve         owns the connection until it parks or ends
//	http1.Worker.readHeader    reads a complete header, or parks the connection again (parkOrEnd)
//	http1.Worker.newExchange   parses it
//	http1.Worker.serveRequest  calls http1.Server.ServeHTTP, and that calls the handler
//	http1.Worker.finishExchange
//	                           completes the response; the next request follows, or parkOrEnd
//
// While only a few connections are active, their workers stay with them for some milliseconds after
// each response, and wait for the next request themselves (http1.Worker.stay). The leader is not
// involved then.
//
// # TLS
//
// A TLS connection parks before its handshake until the whole first record of the client has
// arrived, and parks again between requests. Package tls keeps the part of a record that it has
// read, so a read that would block can be given up and repeated. A handshake cannot be resumed, so
// it occupies a goroutine, which does not count as a worker.
//
// # What the application may do with a connection
//
// The hooks ConnState and ConnContext, a [tls.ClientHelloInfo] and Hijack give the application the
// same [net.Conn] as net/http would: a *net.TCPConn, *net.UnixConn or *tls.Conn, or with
// [Server.ProxyProtocol] a *proxyproto.Conn on one of the first two. What the application does with
// it affects that connection only. The names in brackets are those of the tests; those that begin
// with a lower-case letter are in package recyclingtest.
//
//   - If the application makes the socket blocking, by File and Fd, the server's system calls on it
//     still do not block. [socketMadeBlockingHoldsUpNobodyElse, TestTLSConnectionsOfHooksPark]
//   - If the application sets a read deadline, the server clears it after the header and after the
//     request. It clears a write deadline after the request. A deadline that passes while the
//     connection is parked takes effect when the next bytes arrive.
//     [deadlinesOfAHandlerEndWithItsRequest, readDeadlinesOfHooksEndWithTheirRequest,
//     TestDeadlineOfTheApplicationCounts]
//   - If the application closes the connection before a request, or while it is idle, the
//     connection ends. [connectionClosedByAHookIsLost, idleConnectionMayBeClosed]
//   - If the application closes the connection during a request, the request's context is canceled
//     within about 50 milliseconds, and reads and writes fail.
//     [requestIsToldThatItsConnectionWasClosed, bodyOfAClosedConnectionEnds]
//   - If the application shuts the connection down for reading, the server acts as if the client
//     had shut it down; if for writing, writes fail. [requestIsToldThatItsConnectionWasShutDown,
//     connectionShutDownForWritingIsLost]
//   - If the application keeps a duplicate of the descriptor, the client sees the end of the
//     connection when the duplicate is closed. [duplicateOutlivesItsConnection]
//   - If the application sets socket options, they stay, as do those of the listener.
//     [TestKeepAliveOfTheListenerStays, TestNetConnKeepsTheOptionsOfItsSocket]
//   - If the application sets SO_LINGER, the server closes the socket on a goroutine of its own,
//     since closing may block. [TestClosingDoesNotWaitForAClientThatDoesNotRead]
//   - If the application calls NetConn of a tls.Conn, it gets the connection under it, such as a
//     *net.TCPConn. [TestUnderATLSConnectionIsATCPConn]
//   - If the application closes the descriptor by its number, the connection ends when a new
//     connection gets that number. The new connection is not affected.
//     [TestNumberClosedByTheApplicationIsLeftToIt]
//   - If the application closes descriptors 0 to 2, the standard streams, connections may get these
//     numbers. [TestConnectionsMayHaveTheStandardDescriptors]
//   - If the application shuts the listening socket down, Serve returns the error from accept.
//     [TestServeReturnsWhenItsListenerIsShutDown]
//   - If the application passes the listening socket to another process and closes it in this one,
//     the server stops accepting from it. [TestListenerThatIsClosedHereAndOpenElsewhereIsLeft]
//
// # Under net/http's own server
//
// An application may call Serve, Shutdown and Close of its http.Server itself: that server is then
// a host. Both [Use] and [Server.Listener] make it one. The engine learns of each listener through
// BaseContext, which net/http calls before it accepts anything from the listener. To learn of
// Shutdown and Close, the engine gives the http.Server an artificial busy connection: Shutdown
// waits for that connection until its context ends, and Close closes it.
//
// # HTTP/2
//
// Net/http serves connections that speak HTTP/2 or another protocol negotiated by TLS. The
// http.Server gets them from an additional listener, as *tls.Conn or, without TLS, as a connection
// that first returns the bytes already read. That is what net/http documents for HTTP/2, and it
// works with every version.
package recycling
