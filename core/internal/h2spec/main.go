// H2spec runs the HTTP/2 conformance suite of that name against net/http and against this project's
// server, with and without TLS. Every case that passes on net/http must pass here.
//
//	go run ./core/internal/h2spec [-strict] [-timeout TIME] [-v] [SPEC ...]
//
// A SPEC is a part of the suite, such as http2/6.5; by default all parts are run. The suite is
// downloaded, and built with the Go toolchain that it asks for, which does not affect the servers
// under test.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

const suite = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

type options struct {
	strict, verbose bool
	timeout         time.Duration
	specs           []string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("h2spec: ")
	var o options
	flag.BoolVar(&o.strict, "strict", false, "run the strict cases too")
	flag.BoolVar(&o.verbose, "v", false, "name the cases that fail on both")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Second, "`TIME` that a case waits for an answer, in whole seconds")
	flag.Parse()
	o.specs = flag.Args()
	ok, err := o.compareAll()
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		fmt.Println("FAIL")
		os.Exit(1)
	}
	fmt.Println("ok")
}

func (o options) compareAll() (ok bool, err error) {
	dir, err := os.MkdirTemp("", "h2spec")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := install(dir); err != nil {
		return false, err
	}
	ok = true
	for _, secure := range []bool{true, false} {
		same, err := o.compare(dir, secure)
		if err != nil {
			return false, err
		}
		ok = ok && same
	}
	return ok, nil
}

// install builds the suite in dir. The suite has no go.mod, so it gets the newest dependencies, and
// these need Go 1.26.
func install(dir string) error {
	cmd := exec.Command("go", "install", suite)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=go1.26.0+auto")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", suite, err, out)
	}
	return nil
}

// compare runs the suite against both servers, and reports whether every case that passes on
// net/http passes here.
func (o options) compare(dir string, secure bool) (ok bool, err error) {
	run := func(name string, strategy recycling.Strategy) (results, error) {
		port, stop, err := serve(strategy, secure)
		if err != nil {
			return nil, err
		}
		defer stop()
		r, err := o.run(dir, port, secure)
		if err == nil {
			fmt.Printf("%-9s %-4s %d of %d pass\n", name, protocol(secure), r.passed(), len(r))
		}
		return r, err
	}
	theirs, err := run("net/http", recycling.Goroutine)
	if err != nil {
		return false, err
	}
	if theirs.passed() == 0 {
		return false, fmt.Errorf("nothing passes on net/http: is %s there?", filepath.Join(dir, "h2spec"))
	}
	ours, err := run("recycling", recycling.Recycling)
	if err != nil {
		return false, err
	}
	ok = true
	for name, failure := range theirs {
		switch here, ran := ours[name]; {
		case failure == "" && (!ran || here != ""):
			ok = false
			fmt.Printf("FAIL %s %s: %s\n", protocol(secure), name, here)
		case o.verbose && failure != "" && here != "":
			fmt.Printf("fails on both: %s %s\n", protocol(secure), name)
		}
	}
	return ok, nil
}

func protocol(secure bool) string {
	if secure {
		return "TLS"
	}
	return "h2c"
}
