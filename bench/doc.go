// Bench compares this project with its peers on the machine that it runs on. It needs only Go:
//
//	go run ./bench               everything that takes a short time: five to six minutes
//	go run ./bench -h            lists the parts, and what each one measures
//	go run ./bench connections   measures one part
//	go run ./bench all -full     measures everything, which takes hours
//	go run ./bench faults        tries what goes wrong in production: a table of fifty faults
//	go run ./bench roll -d 5m    restarts servers in turn behind nginx and haproxy, under load
//	go run ./bench jobs          kills workers and NATS servers on three hosts; no task may be lost
//	go run ./bench soak -d 10m   mixes traffic with random faults; nothing may be lost or left
//	go run ./bench overload      sends ten times what the server can serve, and checks targets
//	go run ./bench crowd         measures normal clients beside thousands of slow ones
//	go run ./bench churn         opens a million short connections, and checks that nothing is left
//	go run ./bench applications  builds public applications plain and by recycle, and compares them
//	go run ./bench compare OLD NEW
//	                             says what differs between two runs by more than noise
//
// These parts measure servers. In a quick run, most of them compare only net/http, recycling and
// fasthttp; with -full, they compare every server.
//
//	connections   load with new and with kept connections
//	loads         1 to 1,000 connections that are all active
//	alternating   a load that changes
//	tls           TLS and HTTP/2
//	bodies        large responses and uploads
//	light         a light route beside connections that compute
//	idle          connections that are idle
//	growth        many connections, of which a few are active
//	observed      load with and without an Observer that measures each request; not part of all
//
// Each measurement writes into a folder: a page with charts, the charts as pictures, tables in
// Markdown, and all samples, as JSON and as samples.txt for benchstat. Every server is a separate
// process. Servers that are compared are measured one right after the other, for several rounds.
// Each ratio is of two figures from the same round. With fewer than five rounds, a difference
// cannot be told from noise.
//
// Compare CPU first: the user and system time of the server process, divided by the number of
// requests. The client shares the processors with the server, so it also limits a fast server's
// requests per second and latency. Figures from one machine say little about another; ratios say
// more.
package main
