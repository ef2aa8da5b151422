package http1

// A Scheduler decides which connections are served, and which worker serves them, and when. Admit,
// Reserve, if they return false, and Enqueue, Requeue and StartHandshake take over the ownership of
// the connection. None of the methods waits for a client or for the application.
type Scheduler interface {
	// Admit reports whether c, which is new, may be served. If not, c has ended, or will end soon.
	Admit(c *Conn) bool

	// AdmitAddr is the part of Admit that depends on the address of the client. It is called for a
	// connection that was admitted without knowing it, because a proxy had to send it first. If c
	// may not be served, the caller keeps it, and has to shed it.
	AdmitAddr(c *Conn) bool

	// Ended is called once, when c has ended.
	Ended(c *Conn)

	// Enqueue has a worker serve c, or refuses c if too many connections wait for one.
	Enqueue(c *Conn)

	// Requeue is Enqueue called by a worker that is about to be free.
	Requeue(c *Conn)

	// Crowded reports whether connections wait for a worker. A worker asks after each request that
	// is followed by another one at once.
	Crowded() bool

	// Stay reports whether the worker of c, which is idle, may wait for its next request, until
	// something arrives or Conn.Leave is called. The worker calls Stayed afterwards.
	Stay(c *Conn) bool

	// Stayed ends what Stay has begun. came says whether something has arrived.
	Stayed(c *Conn, came bool)

	// Reserve has a reserve worker serve the health check that c has sent. It reports false if
	// there is no such worker.
	Reserve(c *Conn) bool

	// StartHandshake calls c.Handshake on a goroutine that may wait for the client.
	StartHandshake(c *Conn, hello []byte)
}
