// Package park keeps connections that wait for bytes without a goroutine or a buffer.
//
// A [Set] owns an epoll set. Its descriptor is itself registered with Go's runtime poller, so
// that whoever leads - waits for readiness on behalf of everybody, see [Set.Lead] - is an
// ordinary goroutine that the scheduler wakes, and no thread sits in epoll_wait.
//
// A [Conn] enters the set the first time it would have to wait, edge-triggered, and stays in it until it is
// closed: no re-arming, one epoll_ctl in its life. At any time it belongs either to one
// worker, which may read, write and close it, or to the set. The states and who may change
// them are drawn in state.go.
//
// A worker inside a handler that has to wait for its connection - a slow body, a slow
// reader - waits in Go's own poller, not in the set: the descriptor is wrapped in
// an [os.File] at that moment, which brings deadlines that may be moved from another goroutine, reading and
// writing at the same time, and closing, all of it tested by others. The leader then has no part in
// it, and the wake-up has one hop less. It costs three system calls, once, for connections that need it.
//
// TLS lies on top of a Conn, see [Conn.Secure], and reads by it without waiting.
//
// On systems other than Linux, and for connections that are no sockets of our own (in-memory,
// wrapped, of a listener of package tls), a Conn is a plain net.Conn: it cannot be parked, and its worker waits on it.
// The build tag recycling_nopark forces that everywhere.
package park
