// Package server starts the servers that bench compares. Each is a separate process, so that its
// CPU time and memory do not include the load generator's.
//
//	p, err := server.Start(ctx, server.Spec{Server: "recycling", Router: "chi", Conns: 100})
//	...
//	defer p.Stop()
//	before, err := p.CPU()
//
// Servers written in Go are this same executable, which has to call [Main] when its first argument
// is "serve". The others are commands that may be installed or not: see [Available].
//
//	net/http     http.Server on a listener of package net, as in any application
//	recycling    recycling.Server, as the adapters make it
//	fixed        the same with strategy fixed, and a worker for each connection
//	fasthttp     fasthttp.Server, as its README starts it
//	hertz        hertz with its default options, and without its log
//	nbio         nbio's HTTP engine with its default configuration, and without its log
//	gnet         a minimal HTTP server on gnet, which has none: see gnet_linux.go
//	floor        a server that only accepts, reads, writes and closes: see floor.go
//	nginx        as many workers as there are processors, responses from its configuration
//	hunchentoot  a thread for each connection, which is its default
//	tornado      one process and one thread, which is its default
//
// net/http, recycling, fixed and nbio serve each of the four routers, with handlers as users of the
// router write them. gnet is measured only on Linux.
//
// With Spec.TLS, net/http, recycling and fixed serve TLS with HTTP/1.1 and HTTP/2 (their ServeTLS),
// and fasthttp serves it with HTTP/1.1. The configuration is the default of package tls.
//
// # Paths
//
// The response to each is 200 with a line of text, or with bytes. [Serves] says which server has
// which path.
//
//	/yo          "Hey!", at once
//	/sleep/MS    "slept", after sleeping for MS milliseconds
//	/work/MS     "worked", after computing for MS milliseconds
//	/bytes/N     N bytes, and a Content-Length
//	/upload      the number of bytes in the body of a POST, after reading it to its end
//
// A millisecond of computing is a number of rounds of a loop. The process that calls Start measures
// that number once, so that all servers have the same work to do.
package server
