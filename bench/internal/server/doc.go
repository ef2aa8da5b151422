// Package server starts the servers that bench compares, each a process of its own: nothing that a load generator does then
// shows in their CPU time or memory.
//
//	p, err := server.Start(ctx, server.Spec{Server: "recycling", Router: "chi", Conns: 100})
//	...
//	defer p.Stop()
//	before, err := p.CPU()
//
// Those written in Go are this same executable, which has to call [Main] when its first argument is "serve". The others are
// commands that may be installed or not: see [Available].
//
//	net/http     http.Server on a listener of package net, as in an application that has never heard of this project
//	recycling    recycling.Server, as the adapters make it
//	pool         the same with strategy pool, and a worker for each connection
//	fasthttp     fasthttp.Server, as its README starts it
//	hertz        hertz with its default options, and without its log
//	floor        what is left if a server does nothing but accept, read, write and close: see floor.go
//	nginx        as many workers as there are processors, answers from its configuration
//	hunchentoot  a thread for each connection, which is its default
//	tornado      one process and one thread, which is its default
//
// The first three serve each of the four routers, with the handlers written as its users write them.
//
// # Paths
//
// All answer 200 and a line of text. [Serves] says which server has which.
//
//	/yo          "Hey!", at once
//	/sleep/MS    "slept", after as many milliseconds, without use of a processor
//	/work/MS     "worked", after as many milliseconds of computing
//
// Milliseconds of computing are rounds of a loop. How many there are in one is found out once, in the process that
// calls Start, so that all servers have the same work to do.
package server
