package longrun

import (
	"fmt"
	"slices"
	"time"
)

// A Config says what [Run] measures.
type Config struct {
	Rounds   int           // each measures everything once
	Duration time.Duration // for how long a client begins new requests; the last one's answer is waited for
	Clients  int
	Workers  int      // of offload and process: how many tasks run at the same time
	Tasks    []string // nil means all
	Servers  []string // nil means all

	Sleep    time.Duration // of sleep and split
	Latency  time.Duration // of the external server
	Parses   int           // of the document, each time that xml runs
	FileSize int64         // of what copy copies, in bytes
}

// Full returns the source's parameters, but for the time that it takes: 3 rounds of 36 measurements of 10 seconds.
func Full() Config {
	return Config{
		Rounds: 3, Duration: 10 * time.Second, Clients: 25, Workers: 4,
		Sleep: 280 * time.Millisecond, Latency: 200 * time.Millisecond, Parses: 20, FileSize: 10 << 20,
	}
}

// Quick returns a Config for a look that takes a quarter of a minute, most of it the server with one worker.
func Quick() Config {
	return Config{
		Rounds: 1, Duration: 200 * time.Millisecond, Clients: 25, Workers: 4,
		Sleep: 50 * time.Millisecond, Latency: 100 * time.Millisecond, Parses: 1, FileSize: 1 << 20,
	}
}

// resolve checks c and fills in what nil means.
func (c Config) resolve() (Config, error) {
	switch {
	case c.Rounds < 1:
		return c, fmt.Errorf("longrun: Rounds is %d, want 1 or more", c.Rounds)
	case c.Duration <= 0:
		return c, fmt.Errorf("longrun: Duration is %v, want more than zero", c.Duration)
	case c.Clients < 1:
		return c, fmt.Errorf("longrun: Clients is %d, want 1 or more", c.Clients)
	case c.Workers < 1:
		return c, fmt.Errorf("longrun: Workers is %d, want 1 or more", c.Workers)
	case c.Parses < 1:
		return c, fmt.Errorf("longrun: Parses is %d, want 1 or more", c.Parses)
	case c.Sleep < 0, c.Latency < 0, c.FileSize < 0:
		return c, fmt.Errorf("longrun: Sleep is %v, Latency %v, FileSize %d, want none below zero", c.Sleep, c.Latency, c.FileSize)
	}
	if c.Tasks == nil {
		for _, t := range tasks {
			c.Tasks = append(c.Tasks, t.name)
		}
	}
	if c.Servers == nil {
		c.Servers = servers
	}
	for _, name := range c.Tasks {
		if _, err := taskNamed(name); err != nil {
			return c, err
		}
	}
	for _, name := range c.Servers {
		if !slices.Contains(servers, name) {
			return c, fmt.Errorf("longrun: there is no server %q, want one of %q", name, servers)
		}
	}
	return c, nil
}
