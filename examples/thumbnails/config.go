package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// The values of THUMBNAILS_PLACE.
const (
	inProcess  = "process"
	inChildren = "children"
	inNATS     = "nats"
)

const placeVariable = "THUMBNAILS_PLACE"

// A config is what the command line and the environment say.
type config struct {
	worker bool // it is a worker, not the web application

	addr    string
	admin   string // empty means none
	place   string
	workers int
	queue   int
	dir     string
}

const usage = `Usage: thumbnails [flags]           the web application
       thumbnails [flags] worker    a worker for applications with the place nats

Flags:
`

// parse parses arguments. Its error is flag.ErrHelp after -h.
func parse(args []string) (config, error) {
	var c config
	f := flag.NewFlagSet("thumbnails", flag.ContinueOnError)
	f.SetOutput(io.Discard) // main prints the error
	f.StringVar(&c.addr, "addr", "", "listen on this `address` (default :$PORT, else :8080)")
	f.StringVar(&c.admin, "admin", "", "serve what only operators may see on this `address` (default localhost:6060; a worker: none)")
	f.StringVar(&c.place, "place", cmp.Or(os.Getenv(placeVariable), inProcess), "make thumbnails in this `place`: process, children or nats (default $"+placeVariable+", else process)")
	f.IntVar(&c.workers, "workers", 0, "at most this `number` of thumbnails are made at a time in a process (default one for each processor)")
	f.IntVar(&c.queue, "queue", 32, "at most this `number` of uploads wait for a worker")
	f.StringVar(&c.dir, "dir", "", "the NATS server in this process keeps its files in this `folder` (default: in memory)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(os.Stderr, usage)
			f.SetOutput(os.Stderr)
			f.PrintDefaults()
		}
		return c, err
	}
	if f.NArg() > 0 {
		if c.worker = f.Arg(0) == "worker"; !c.worker || f.NArg() > 1 {
			return c, fmt.Errorf("the arguments are %q, want none, or worker", f.Args())
		}
	}
	return c, c.resolve(os.Getenv("NATS_URL"))
}

// resolve checks c and sets what depends on the role.
func (c *config) resolve(url string) error {
	if c.worker {
		c.place = inNATS
		if url == "" {
			return errors.New("NATS_URL is empty: a worker needs the address of a NATS server")
		}
	} else {
		c.admin = cmp.Or(c.admin, "localhost:6060")
	}
	switch {
	case c.place != inProcess && c.place != inChildren && c.place != inNATS:
		return fmt.Errorf("-place (or %s) is %q, want process, children or nats", placeVariable, c.place)
	case c.workers < 0 || c.workers > 64:
		return fmt.Errorf("-workers is %d, want 1 to 64, or 0 for one for each processor", c.workers)
	case c.queue < 1 || c.queue > maxUploads:
		return fmt.Errorf("-queue is %d, want 1 to %d", c.queue, maxUploads)
	case c.dir != "" && c.place != inNATS:
		return fmt.Errorf("-dir is %q, want none, since the place is %s", c.dir, c.place)
	case c.dir != "" && url != "":
		return fmt.Errorf("-dir is %q, want none, since NATS_URL names another server", c.dir)
	case c.workers > 0 && c.place == inNATS && url != "" && !c.worker:
		return fmt.Errorf("-workers is %d, want none: with NATS_URL, only processes with the argument worker make thumbnails", c.workers)
	}
	return nil
}
