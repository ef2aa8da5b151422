package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
	"github.com/recycling-go/recycling/listener"
)

// A config has the values of Main's flags.
type config struct {
	Spec
	addr   string
	rounds int // of the loop, per millisecond of work

	certificate tls.Certificate // if TLS is set
}

// tlsConfig returns a new configuration with the certificate, and the defaults of package tls.
func (c config) tlsConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.certificate}}
}

// Main is the main function of the server process: serve -server NAME [-router NAME] [-conns N]
// [-tls] [-addr ADDRESS]. args do not include "serve". It prints the server's address and serves
// until it is killed.
//
// With -child it exits when its standard input ends, and replies to each line that it reads with a
// line: its CPU time in nanoseconds, or an empty line if that is not known.
func Main(args []string) error {
	var c config
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.StringVar(&c.Server, "server", "recycling", "`name` of the server")
	f.StringVar(&c.Router, "router", "", "`name` of the router: mux, chi, echo or gin")
	f.IntVar(&c.Conns, "conns", 0, "`number` of connections at most; 0 means the server's default")
	f.BoolVar(&c.TLS, "tls", false, "serve TLS, with a certificate that the server makes for itself")
	f.StringVar(&c.addr, "addr", "127.0.0.1:0", "listen on this TCP `address`")
	f.IntVar(&c.rounds, "rounds", 0, "`number` of rounds of the loop that make a millisecond of work; 0 means to find out")
	child := f.Bool("child", false, "end when standard input does")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if c.Spec, err = c.check(); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("server: there is no argument %q", f.Arg(0))
	}
	if c.TLS {
		if c.certificate, err = selfsigned.New("localhost", "127.0.0.1", "::1"); err != nil {
			return err
		}
	}
	if c.rounds <= 0 {
		c.rounds = roundsPerMS()
	}
	if *child {
		go answerParent()
	}
	return c.serve()
}

// answerParent replies to the parent's lines, and exits the process when the parent is gone for any
// reason.
func answerParent() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if d, err := ownCPU(); err == nil {
			fmt.Println(d.Nanoseconds())
		} else {
			fmt.Println()
		}
	}
	os.Exit(0)
}

// announce prints the address to connect to.
func announce(a net.Addr) { fmt.Println(a) }

func (c config) serve() error {
	switch c.Server {
	case "net/http":
		return c.netHTTP()
	case "recycling":
		return c.recycling(recycling.Recycling)
	case "observed":
		return c.recycling(recycling.Recycling, func(s *recycling.Server) { s.Observer = observe.NewRecorder() })
	case "fixed":
		return c.recycling(recycling.Fixed)
	case "fasthttp":
		return c.fasthttp()
	case "hertz":
		return c.hertz()
	case "nbio":
		return c.nbio()
	case "gnet":
		return c.gnet()
	case "floor":
		return floor(c.addr)
	}
	return fmt.Errorf("server: %s is not part of this program", c.Server)
}

// netHTTP is the control: it serves like an application that does not use this project. Package
// recycling's strategy goroutine would serve a listener with other socket options.
func (c config) netHTTP() error {
	h, _ := routers[c.Router](c.rounds)
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	announce(l.Addr())
	s := &http.Server{Handler: h}
	if c.TLS {
		s.TLSConfig = c.tlsConfig()
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

func (c config) recycling(strategy recycling.Strategy, options ...recycling.Option) error {
	_, server := routers[c.Router](c.rounds)
	s := server(append(options, recycling.Addr(c.addr), func(s *recycling.Server) {
		s.Strategy = strategy
		if strategy == recycling.Fixed {
			// The default is 256. One connection more than MaxWorkers would wait until another one
			// ends.
			s.MaxWorkers = max(c.Conns, 256)
		}
	})...)
	l, err := listener.Listen(context.Background(), "tcp", c.addr)
	if err != nil {
		return err
	}
	announce(l.Addr())
	if c.TLS {
		s.HTTP.TLSConfig = c.tlsConfig()
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}
