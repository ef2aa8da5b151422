package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
)

// A config is what the command line says.
type config struct {
	addr  string
	admin string

	lameDuck     time.Duration
	drainTimeout time.Duration
	queueWait    time.Duration
	maxConns     int
	maxConnAge   time.Duration

	proxies       prefixes // whose X-Forwarded-For is believed
	proxyProtocol prefixes // who sends the header of the PROXY protocol
}

// parse parses arguments. Its error is flag.ErrHelp after -h.
func parse(args []string) (config, error) {
	var c config
	f := flag.NewFlagSet("deploy", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints the error
	f.StringVar(&c.addr, "addr", "", "listen on this `address` (default :$PORT, else :8080)")
	f.StringVar(&c.admin, "admin", "localhost:9090", "serve counters and profiles on this `address`")
	f.DurationVar(&c.lameDuck, "lame-duck", 10*time.Second, "go on serving for this `time` after SIGTERM")
	f.DurationVar(&c.drainTimeout, "drain-timeout", 30*time.Second, "then wait this `time` for requests in flight")
	f.DurationVar(&c.queueWait, "queue-wait", 2*time.Second, "refuse requests that have waited this `time` for a worker")
	f.IntVar(&c.maxConns, "max-conns", 0, "at most this `number` of connections (default most of LimitNOFILE)")
	f.DurationVar(&c.maxConnAge, "max-conn-age", 0, "close connections of this `age` after a response (default never)")
	f.Var(&c.proxyProtocol, "proxy-protocol", "expect the PROXY protocol from these `prefixes`")
	f.Var(&c.proxies, "proxies", "believe X-Forwarded-For from these `prefixes`, such as 10.0.0.0/8,fd00::/8")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(os.Stderr)
			f.PrintDefaults()
		}
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.lameDuck < 0 || c.drainTimeout <= 0 {
		return c, errors.New("-lame-duck must not be negative, and -drain-timeout must be positive")
	}
	return c, nil
}

// prefixes is a flag: network prefixes, separated by commas.
type prefixes []netip.Prefix

func (p *prefixes) String() string { return strings.Join(p.list(), ",") }

func (p *prefixes) list() (list []string) {
	for _, one := range *p {
		list = append(list, one.String())
	}
	return list
}

func (p *prefixes) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(one)
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}
