package main

import "fmt"

// A scenario is one kind of load.
type scenario struct {
	name  string
	path  string
	close bool // a new connection for every request
}

var scenarios = []scenario{
	{name: "close", path: "/yo", close: true},
	{name: "keep", path: "/yo"},
	{name: "sleep1-close", path: "/sleep/1", close: true},
	{name: "sleep1-keep", path: "/sleep/1"},
}

// idle is the name of what is measured without load.
const idle = "idle"

// request returns the bytes of a request.
func (s scenario) request() []byte {
	more := ""
	if s.close {
		more = "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", s.path, more)
}
