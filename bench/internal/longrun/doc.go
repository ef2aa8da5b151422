// Package longrun measures long-running work inside a web server: six tasks under six servers, with the tasks,
// the number of clients, and the figures of a benchmark of Tornado.
//
// The tasks are those of github.com/pioneer/httpd-background-tasks:
//
//	sleep   one sleep; the source's is three in a row, of the same 280 ms in all
//	split   the same time, as sleeps of 1/14, 3/14 and 10/14 of it, the source's 20, 60 and 200 ms
//	fetch   a small page from a local server, over HTTP
//	https   the same from an "external" server, which takes its time, over HTTPS
//	xml     a document of about 100 KB from the external server, over HTTPS, parsed several times
//	copy    a file, to another one that is then removed
//
// As in the source each fetch has a connection, and a TLS handshake, of its own. The external server is
// a local one that waits before it answers. It is a process of its own, as a real one would be.
//
// The servers are:
//
//	one        strategy recycling with one worker: one request at a time, which is what a Tornado server
//	           does whose tasks block its loop
//	recycling  strategy recycling
//	goroutine  net/http
//	pool       strategy pool, with a worker for each client
//	offload    recycling, and offload's middleware: as many tasks at the same time as the source has threads
//	process    recycling, and tasks that run in as many child processes
//
// They run one at a time, in this process, each made anew for each measurement. All do the same work with the same code.
// The load is siege's: each client asks for one page after the other, on a new connection each time.
package longrun
