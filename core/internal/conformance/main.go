// Conformance runs net/http's own tests against this project's server.
//
// Every test of net/http that starts a server ends up in (*http.Server).Serve. The program puts
// hooks into a copy of the file server.go of the standard library, as the command recycle does for
// applications (package nethook), and has the go command compile it in place of the original
// (-overlay, see go help build). The tests are neither copied nor changed. They run twice, on
// net/http itself for the baseline and with the hooks: every test that passes on net/http must pass
// with them, unless excuses.txt has an entry with a reason.
//
//	go run ./core/internal/conformance [-strategy STRATEGY] [-race] [-short] [-run REGEXP]
//		[-skip REGEXP] [-timeout TIME] [-log FILE] [-v] [SUITE ...]
//
// A suite is a package of the standard library, such as net/http, which is the default, or
// net/http/httputil; or a module at a version, such as github.com/gorilla/websocket@v1.5.3, all
// packages of which are run from a copy. "std" means the suites of the standard library that this
// project has to pass, "others" the modules, and "all" both.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/recycling-go/recycling/core/internal/gotool"
)

// The suites that this project has to pass.
var (
	std    = []string{"net/http", "net/http/httputil"}
	others = []string{
		"github.com/go-chi/chi/v5@v5.5.0",
		"github.com/labstack/echo/v4@v4.16.0",
		"github.com/labstack/echo/v5@v5.4.4",
		"github.com/gin-gonic/gin@v1.12.0",
		"github.com/coder/websocket@v1.8.15",
		"github.com/gorilla/websocket@v1.5.3",
	}
	named = map[string][]string{"std": std, "others": others, "all": slices.Concat(std, others)}
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("conformance: ")
	var o options
	flag.BoolVar(&o.race, "race", false, "run with the race detector")
	flag.BoolVar(&o.short, "short", false, "skip what net/http calls long tests")
	flag.StringVar(&o.run, "run", "", "run only tests that match `REGEXP`")
	flag.StringVar(&o.skip, "skip", "", "run no tests that match `REGEXP`, such as /h2")
	flag.StringVar(&o.strategy, "strategy", "recycling", "the `STRATEGY` to run against")
	flag.BoolVar(&o.verbose, "v", false, "print what failing tests printed")
	flag.StringVar(&o.log, "log", "", "write what the run against this server prints, as go test -json, to `FILE`")
	flag.DurationVar(&o.timeout, "timeout", 0, "`TIME` for one run of one package; zero means 10 minutes")
	flag.Parse()
	var suites []string
	for _, arg := range flag.Args() {
		if list, ok := named[arg]; ok {
			suites = append(suites, list...)
		} else {
			suites = append(suites, arg)
		}
	}
	if len(suites) == 0 {
		suites = []string{"net/http"}
	}
	ok, err := o.compareAll(suites)
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		fmt.Println("FAIL")
		os.Exit(1)
	}
	fmt.Println("ok")
}

// compareAll compares the suites, one after the other.
func (o options) compareAll(suites []string) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if _, err := gotool.LeaveCache(dir); err != nil {
		return false, err
	}
	ok = true
	for _, s := range suites {
		passed, err := o.compare(s)
		if err != nil {
			return false, err
		}
		ok = ok && passed
	}
	return ok, nil
}
