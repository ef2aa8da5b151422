// Package proxyproto receives the header of HAProxy's PROXY protocol, versions 1 and 2. A TCP
// proxy, such as a load balancer, sends the header at the beginning of a connection, before TLS and
// before the first request. It has the addresses of the client's own connection:
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
//
// A [Config] says which peers are proxies. Set it as ProxyProtocol in a listener.Config or in a
// recycling.Server. [Config.NewListener] is for other servers.
//
// A header is only expected from trusted peers. A connection of any other peer is served as it is:
// its bytes are never taken for a header, so a client that sends one gets the response to a
// malformed request.
//
// The connection then has the addresses of the header: RemoteAddr is that of the client, and
// LocalAddr is the one that the client has connected to. A connection that the proxy makes by
// itself, for example to check whether the server is up, keeps its own addresses: its header is
// LOCAL in version 2, and UNKNOWN in version 1.
//
// The package has its own parser for two reasons. Core and listener must not get dependencies. And
// a server whose connections park needs a parser for the bytes that have arrived so far, whereas
// that of github.com/pires/go-proxyproto reads from a bufio.Reader, which waits. A test in module
// bench compares the two.
package proxyproto
