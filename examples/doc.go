// Package examples is one small application, written four times: for chi, echo v4, echo v5 and gin,
// each in the framework's own idiom.
//
//	go run ./examples/chi -addr :8080
//
//	GET  /yo?name=Dude      Hey Dude!
//	GET  /sleep/{ms}        responds after ms milliseconds
//	GET  /work/{ms}         keeps a processor busy for ms milliseconds
//	POST /echo              streams the body back while it arrives
//	GET  /events?n=5        server-sent events, one every 100 ms
//	GET  /download?bytes=N  N bytes of a file, by sendfile
//	GET  /stats             the server's counters as JSON
//
// RECYCLING_STRATEGY chooses how connections are served. Nothing else changes: the tests compare
// the responses of the same program under each strategy with those under net/http's, byte for byte.
// The code that does not depend on a framework is in internal/app.
//
// Command offload is another example: heavy tasks in child processes, beside routes that stay fast.
// Command thumbnails resizes uploaded pictures in its process, in child processes or on other
// machines. Command upgrade is a service under systemd whose program can be replaced while it runs.
// Command deploy is an application with the files that run it in production.
//
// The folder internal/scenario has the frameworks' own examples of a graceful shutdown, with one
// line added or changed.
//
//	go run ./examples/internal/drain -clients 1000 -rounds 100
//
// stops them while they are busy, and counts the requests that clients lose.
package examples
