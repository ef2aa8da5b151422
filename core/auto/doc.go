// Package auto makes every http.Server of a program serve on recycled workers. It has an effect
// only in programs that are built by the command recycle, in core/cmd/recycle, or with the rules
// in adapters/orchestrion. These add the import of this package to each package main.
//
// What the program does with an http.Server stays as it is: Serve, ServeTLS, ListenAndServe,
// http.Serve, Shutdown, Close, RegisterOnShutdown, SetKeepAlivesEnabled and the hooks. The server
// behind it is a [recycling.Server] without settings of its own, so it also has that type's default
// limits and timeouts, and the environment variables RECYCLING_STRATEGY, RECYCLING_STANDBY and
// RECYCLING_MAX_WORKERS apply. With RECYCLING_STRATEGY=goroutine the program is served by net/http
// itself, and this package does nothing.
//
// If the program passes a listener of its own type to Serve, each connection holds a worker while
// it waits, as with any recycling.Server. The listener of echo v4, which embeds a *net.TCPListener
// and sets the keep-alive time of TCP to three minutes, is replaced by that *net.TCPListener, where
// the time is 15 seconds.
//
// These are left alone:
//
//   - a server that the program itself passes to package recycling, for example to [recycling.Use];
//   - a server that is started in an init function, or for a package variable, on the goroutine
//     that initializes the packages. A server that is started there on another goroutine waits up
//     to a second until all packages on which this one depends are initialized;
//   - a listener that the environment variable RECYCLING_EXCEPT lists.
//
// RECYCLING_EXCEPT is a list of addresses, separated by commas. Each is HOST:PORT, :PORT for this
// port of any host, or the path of a Unix socket, which contains a slash or begins with "@".
//
//	RECYCLING_EXCEPT=127.0.0.1:6060,/run/admin.sock
//
// When the first server begins to serve, the program writes one line to standard error, unless the
// environment variable RECYCLING_QUIET is set to anything but the empty string. If the program was
// built with orchestrion, the line names that instead of the command:
//
//	recycling: built in by the command recycle, v0.1.0: http.Servers of this program run on
//	recycled workers (RECYCLING_STRATEGY=goroutine: on net/http; RECYCLING_QUIET=1: no such line)
package auto
