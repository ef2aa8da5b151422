// Conformance runs net/http's own tests against this project's server.
//
// Every test of net/http that starts a server ends in (*http.Server).Serve. The run copies that one file of the
// standard library into a temporary folder, adds a hook there, and lets the go command
// put the copy in the place of the original (go help build, -overlay). The tests are neither copied nor changed. They
// run twice, without the hook for the baseline and with it: what passes there must pass
// here, but for what stands in excuses.txt with a reason.
//
//	go run ./core/internal/conformance [-race] [-short] [-run REGEXP] [-v] [PACKAGE ...]
//
// Packages other than net/http are test suites that start servers: net/http/httputil,
// routers, WebSocket libraries. They are named by import path, and must be in the module that the
// command is run in.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("conformance: ")
	var o options
	flag.BoolVar(&o.race, "race", false, "run with the race detector")
	flag.BoolVar(&o.short, "short", false, "skip what net/http calls long tests")
	flag.StringVar(&o.run, "run", "", "run only tests that match `REGEXP`")
	flag.StringVar(&o.strategy, "strategy", "recycling", "the `STRATEGY` to run against")
	flag.BoolVar(&o.verbose, "v", false, "print what failing tests printed")
	flag.StringVar(&o.log, "log", "", "write what the run against this server prints, as go test -json, to `FILE`")
	flag.DurationVar(&o.timeout, "timeout", 0, "`TIME` for one run of one package; zero means 10 minutes")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"net/http"}
	}
	ok := true
	for _, p := range packages {
		r, err := compare(p, o)
		if err != nil {
			log.Fatal(err)
		}
		r.print(os.Stdout, o.verbose)
		ok = ok && r.ok()
	}
	if !ok {
		fmt.Println("FAIL")
		os.Exit(1)
	}
	fmt.Println("ok")
}
