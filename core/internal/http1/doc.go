// Package http1 is an HTTP/1.0 and HTTP/1.1 server engine. Connections wait in a [park.Set]; for a
// connection that cannot park, its worker waits itself. The package accepts no connections, and
// starts no goroutines to serve them: the owner of a [Worker] passes it one connection after the
// other.
//
//	Worker.Serve:  read ► parse ► handler ► one write ─┬─ close
//	                 ▲                                 ├─ more bytes: next request
//	                 └── readable ◄── parked ◄─────────┘  nothing to read: park
//
// A connection that parks in the middle of a header keeps a copy of the bytes that have arrived. It
// holds no other buffer: those are the Worker's.
//
// The package follows net/http byte for byte, except for Date and for the differences listed in the
// documentation of package recycling.
//
// A worker calls the hooks of the connection that it serves, including StateNew and ConnContext,
// which net/http calls in its accept loop. Code that must not wait for the application (the leader,
// the deadline timer, eviction and shutdown) calls no hook itself: Server.Background does that for
// it. See Conn.EndInBackground.
//
// A Worker reuses its buffers and writers. Handlers cannot reach them after they return; cached
// strings are immutable. What a handler sees (the request, its header and body, the ResponseWriter
// and the context) is allocated anew for every request, and returns errors if it is used after the
// handler has returned. An application that keeps a part of it retains no more memory than under
// net/http: no string shares the memory of a longer one unless it does in net/http as well, and
// nothing refers to the Worker or the connection any longer. What only the Worker sees of a request
// and its response, the exchange, is reused as well: see exchange.recyclable.
//
// With 100 busy connections, a keep-alive GET takes 6.2 microseconds of CPU on the machine where
// this was measured, of which the kernel takes 4.4. It took 6.4 when each exchange was allocated
// (1,072 bytes for each request in all, now 704), and the parser and the end of a response took
// more steps. These were tried, and rejected:
//
//   - To find out by the monotonic clock whether the second of the last Date is over: no less CPU.
//   - To lock the exchange before anything is allocated for a request, since locking waits until
//     new memory is in the processor's cache: no less CPU. It then waits at the next lock.
//   - To allocate the context and the ResponseWriter together: 0.8 % less CPU, but an
//     application that keeps a context would keep the ResponseWriter.
//   - To call runtime.Gosched only if a worker has not waited since the last call: 7 % more CPU
//     with two busy connections.
//
// The work per byte of a header or of a chunk's line is bounded, however the client segments its
// input. A malformed line is rejected as soon as it is complete.
package http1
