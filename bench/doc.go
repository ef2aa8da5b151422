// Bench compares the accept strategies on this machine. Nothing but Go is needed:
//
//	go run ./bench
//
// Every server is a process of its own, this program started again as "bench serve": plain net/http for
// strategy goroutine, which is the control, and a recycling.Server for the others. They are loaded one at a time, in
// turn, by a closed loop: each of -c connections sends its next request when it has the answer.
//
//	close         GET /yo, a new connection for every request, setting up and closing included
//	keep          GET /yo on connections that stay
//	sleep1-close  as close, with a handler that sleeps for 1 ms
//	sleep1-keep   as keep, with a handler that sleeps for 1 ms
//	idle          resident memory per connection that waits for its second request
//
// CPU is the user and system time of the server process for each request. It is the figure to compare: the client takes
// its share of the same processors, and limits requests per second and latency more the faster a server is.
// Absolute figures say little about another machine; ratios within one run say more.
package main
