//go:build recycling_count

// Command contention, built with an overlay, is the server that counts: see main.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func main() {
	srv := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
	})}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go srv.Serve(l)
	fmt.Println(l.Addr())
	before := int64(0)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "begin":
			before = srv.Stats().Requests
			atomic.Record(1)
			fmt.Println("counting")
		case "end":
			atomic.Record(0)
			// What a worker at work uses cannot be reached from the server.
			for range 1000 {
				if srv.Stats().Busy == 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			line, err := json.Marshal(collect(srv, srv.Stats().Requests-before))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Printf("%s\n", line)
		}
	}
}

// These are as in main.go.
type (
	result struct {
		Shards   int
		Requests int64
		Lost     int
		Rows     []row
	}
	row struct {
		Kind, Class, Name string
		Words             int
		Count             int64
	}
)

// collect returns what was recorded, by name.
func collect(srv *recycling.Server, requests int64) result {
	names, shards := nameWords(srv)
	rows := map[row]*row{}
	add := func(kind string, n name, count uint64) {
		if count == 0 {
			return
		}
		key := row{Kind: kind, Class: n.class, Name: n.path}
		x := rows[key]
		if x == nil {
			x = &row{Kind: kind, Class: n.class, Name: n.path}
			rows[key] = x
		}
		x.Words++
		x.Count += int64(count)
	}
	all, lost := atomic.Records()
	for _, r := range all {
		if r.Addr == 0 {
			continue
		}
		n, ok := names[r.Addr]
		if !ok {
			n = unnamed(r.Addr, r.Writes+r.Locks, uint64(requests))
		}
		add("write", n, r.Writes)
		add("lock", n, r.Locks)
	}
	r := result{Shards: shards, Requests: requests, Lost: int(lost)}
	for _, x := range rows {
		r.Rows = append(r.Rows, *x)
	}
	return r
}
