package http1

// A Scheduler decides which worker serves a connection, and when. Every method but Crowded takes
// over the ownership of its connection, unless Reserve returns false. None of them waits for a
// client or for the application.
type Scheduler interface {
	// Enqueue has a worker serve c, or refuses c if too many connections wait for one.
	Enqueue(c *Conn)

	// Requeue is Enqueue called by a worker that is about to be free.
	Requeue(c *Conn)

	// Crowded reports whether connections wait for a worker. A worker asks after each request that
	// is followed by another one at once.
	Crowded() bool

	// Reserve has a reserve worker serve the health check that c has sent. It reports false if
	// there is no such worker.
	Reserve(c *Conn) bool

	// StartHandshake calls c.Handshake on a goroutine that may wait for the client.
	StartHandshake(c *Conn, hello []byte)
}
