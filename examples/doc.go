// Package examples is one small application, written three times: for chi, echo and gin,
// each in the framework's own idiom.
//
//	go run ./examples/chi -addr :8080
//
//	GET  /yo?name=Dude      Hey Dude!
//	GET  /sleep/{ms}        answers after ms milliseconds
//	GET  /work/{ms}         keeps a processor busy for ms milliseconds
//	POST /echo              streams the body back while it arrives
//	GET  /events?n=5        server-sent events, one every 100 ms
//	GET  /download?bytes=N  N bytes of a file, by sendfile
//	GET  /stats             the server's counters as JSON
//
// RECYCLING_STRATEGY chooses how connections are served, and is all that changes: the tests hold what the same program
// answers under each strategy to what it answers under net/http's, byte for byte. What is not
// about a framework lives in internal/app.
//
// Command offload is another one: heavy tasks in child processes, beside routes that stay fast.
//
// In internal/scenario are the frameworks' own examples of a graceful shutdown, with one line added, and
//
//	go run ./examples/internal/drain -clients 1000 -rounds 100
//
// ends them while they are busy and counts what clients lose.
package examples
