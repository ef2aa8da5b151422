// Package park keeps connections that wait for bytes without a goroutine.
//
// A [Set] owns an epoll set. One worker at a time leads: it waits for readiness on behalf of all
// workers (see [Set.Lead]). The epoll descriptor is itself registered with Go's runtime poller, so
// the leader is an ordinary goroutine that the scheduler wakes. No thread blocks in epoll_wait,
// with one exception: if the scheduler has woken the leader late several times, the leader blocks
// for up to 50 microseconds at a time. See leaderwait_linux.go.
//
// A [Conn] is registered, edge-triggered, when it first parks, and is never re-armed. It remains in
// the epoll set until it is closed, so it needs one epoll_ctl in its lifetime. The exception is
// [Conn.Stay], which takes it out of the set; it is registered again when it parks again. At any
// time a Conn belongs either to one worker, which may read, write and close it, or to the set. The
// states and the allowed transitions are drawn in state.go.
//
// A worker that has to wait for its connection itself (for a slow body or a slow reader in a
// handler, or in Conn.Stay) waits in Go's own poller, not in the set: the descriptor is wrapped in
// an [os.File] at that moment. That provides deadlines that another goroutine may change, and safe
// closing. The package reads and writes the bytes with its own system calls when the poller reports
// readiness. The leader is not involved, which saves waking it each time. Wrapping costs three
// system calls, once, and only for connections that need it.
//
// No system call on a connection blocks a worker or the leader, whatever the application has done
// to the socket. A close that may block, because of SO_LINGER, has a goroutine of its own. No
// system call uses a descriptor number that is about to be reused: see sock_linux.go and use.go.
// Every system call that can fail for lack of memory, descriptors or watches is either retried or
// ends one connection, and the failure is counted: see [Errors].
//
// What a connection consists of changes during its life, from a bare descriptor to one in Go's
// poller, or to a net.Conn: the kinds and the allowed changes are drawn in handle.go.
//
// TLS runs on top of a Conn, which lets TLS read without waiting: see [Conn.Secure]. If the
// application holds the tls.Conn while it is served, TLS runs directly on the net.Conn: see
// direct.go.
//
// On systems other than Linux, and for connections that are not sockets of this package (in-memory,
// wrapped, or accepted by a listener of crypto/tls that the engine cannot unwrap), a Conn is a
// plain net.Conn: it cannot be parked, and its worker waits on it. The build tag recycling_nopark
// forces that everywhere.
package park
