// Package listener opens listening sockets for servers that take many connections.
//
// Begin with [Listen], or with a [Config] to say more. What it returns is a [net.Listener],
// which [net/http] serves like any other. A server that waits for connections with an epoll
// set of its own gets a [Raw] from it by [NewRaw], and accepts each connection with one
// system call and without a [net.Conn].
//
// On Linux, the options that package net sets on every accepted connection - TCP_NODELAY
// and four for keep-alive - are set once, on the listen socket, from which accepted sockets
// inherit them. TCP_DEFER_ACCEPT is set too: a connection is accepted when its first bytes
// can be read.
//
// Also on Linux, the descriptor of a [Listener] is unknown to the runtime's poller until
// [Listener.Accept] is called. In both the poller and an epoll set, it would wake the process
// twice for every connection.
//
// A Listener owns its socket; [Listener.Close] closes it, and no descriptor is used after that.
// [Listener.File] and [FromFile] pass it from one process to the next.
//
// On other systems a Listener is a thin layer over that of package net, and there is no Raw.
//
// What happens to a connection once it is accepted is not this package's concern: it knows of
// no TLS, no limits and no deadlines, and does not try again when accepting fails.
package listener
