// Bench compares this project with its peers on this machine. Nothing but Go is needed:
//
//	go run ./bench               what is measured, in two minutes
//	go run ./bench -h            the parts, and what each one measures
//	go run ./bench connections   one part
//	go run ./bench all -full     everything there is to measure: more than an hour
//	go run ./bench faults        what happens when things go wrong: a table of fifty faults
//	go run ./bench soak -d 10m   mixed traffic with random faults, and the balance in the end
//
// Each measurement writes its raw samples as JSON, a page with charts, pictures and markdown tables into a folder. A server under
// load is a process of its own, contestants take turns, and every ratio is to the baseline in the same run.
//
// CPU is the user and system time of the server process for each request. It is the figure to compare: the client takes
// its share of the same processors, and limits requests per second and latency more the faster a server is.
// Absolute figures say little about another machine; ratios within one run say more.
package main
