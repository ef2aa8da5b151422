// Package listener opens listening sockets for servers that handle many connections.
//
// Start with [Listen], or with a [Config] for more control. It returns a [net.Listener], which
// [net/http] serves like any other. A server that waits for connections with its own epoll set
// calls [NewRaw] to get a [Raw], and accepts each connection with one system call and without a
// [net.Conn].
//
// On Linux, the options that package net sets on every accepted connection (TCP_NODELAY and four
// for keep-alive) are set once, on the listening socket, from which accepted sockets inherit them.
// TCP_DEFER_ACCEPT is set too, so that a connection is accepted when its first bytes can be read.
//
// Also on Linux, the runtime's poller does not know the descriptor of a [Listener] until
// [Listener.Accept] is called. If the descriptor were both in the poller and in a server's epoll
// set, each connection would wake the process twice.
//
// A Listener owns its socket; [Listener.Close] closes it, and no descriptor is used after that.
// [Listener.File] and [FromFile] pass the socket from one process to the next.
//
// On other systems a Listener is a thin layer over package net's listener, and there is no Raw.
//
// The package does not deal with a connection after it is accepted: it has no TLS, no limits and no
// deadlines, and does not retry when accepting fails.
package listener
