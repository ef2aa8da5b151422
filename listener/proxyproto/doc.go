// Package proxyproto receives the header of HAProxy's PROXY protocol, versions 1 and 2. A proxy
// that passes on bytes, such as a TCP load balancer, sends it at the beginning of a connection,
// before TLS and before the first request, to tell the addresses of its client:
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
//
// A [Config] says which peers are proxies. Set it as ProxyProtocol in a listener.Config or in a
// recycling.Server. [Config.NewListener] is for other servers.
//
// Only trusted peers are asked for a header. A connection of any other peer is served as it is: its
// bytes are never taken for a header, so a client that sends one gets the response to a malformed
// request.
//
// The connection then has the addresses of the header: RemoteAddr is that of the client, and
// LocalAddr is the one that the client has connected to. A connection that the proxy makes by
// itself, for example to check whether the server is up, keeps its own addresses: its header is
// LOCAL in version 2, and UNKNOWN in version 1.
//
// The package has a parser of its own for three reasons. The listener and the server must not get
// dependencies. A server whose connections park needs a parser that can be given the bytes that
// have arrived so far, and the one of github.com/pires/go-proxyproto reads from a bufio.Reader,
// which waits. And that one rejects a version 1 header that arrives in pieces, and one of version 2
// without addresses. It serves as the oracle of a test in module bench.
package proxyproto
