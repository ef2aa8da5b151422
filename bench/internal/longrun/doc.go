// Package longrun measures long-running work inside a web server. The tasks, the number of clients
// and the columns are those of a benchmark of Tornado; here eleven servers run the six tasks.
//
// The tasks are those of github.com/pioneer/httpd-background-tasks:
//
//	sleep   one sleep; the source sleeps three times in a row, for the same 280 ms in total
//	split   the same time, in sleeps of 1/14, 3/14 and 10/14 of it; the source's 20, 60 and 200 ms
//	fetch   a small page from a local server, over HTTP
//	https   the same from an "external" server, which responds slowly, over HTTPS
//	xml     a document of about 100 KB from the external server, over HTTPS, parsed several times
//	copy    a file, to another file that is then removed
//
// As in the source, each fetch opens a new connection, with a TLS handshake for HTTPS. The external
// server is a local process that waits before it responds.
//
// The servers are:
//
//	one        strategy recycling with one worker: one request at a time, like a Tornado server
//	           whose tasks block its loop
//	recycling  strategy recycling
//	goroutine  net/http
//	fixed      strategy fixed, with a worker for each client
//	waiting    recycling with as many workers as the source has threads; what a task only waits for
//	           is inside offload.Waiting: sleeps and fetches, but not parsing and copying
//	offload    recycling with offload's middleware; as many tasks at once as the source has threads
//	process    recycling, with tasks that run in as many child processes
//
// and, with as many workers, recycling with a task of package task in each of the places of package
// places. Three hosts do not reach the simulated servers, so the workers there have their own.
//
// The servers run in this process, one at a time, and each measurement uses a new server. All run
// the same code. The load is that of siege: each client requests one page after the other, each
// time on a new connection.
package longrun
