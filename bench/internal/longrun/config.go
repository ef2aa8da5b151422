package longrun

import (
	"fmt"
	"slices"
	"time"
)

// A Config says what [Run] measures.
type Config struct {
	Rounds   int           // each round measures everything once
	Duration time.Duration // how long clients send requests; then they wait for the last responses
	Clients  int

	// Workers is how many tasks offload, process and the places run at the same time. It is also
	// how many the server waiting runs, besides those that wait.
	Workers int

	Tasks   []string // nil means all
	Servers []string // nil means all

	Sleep    time.Duration // for sleep and split
	Latency  time.Duration // of the external server
	Parses   int           // how often xml parses its document
	FileSize int64         // size of the file that copy copies, in bytes
}

// Full returns the source's parameters, except for the time: 5 rounds of 66 measurements of 10
// seconds.
func Full() Config {
	return Config{
		Rounds: 5, Duration: 10 * time.Second, Clients: 25, Workers: 4,
		Sleep: 280 * time.Millisecond, Latency: 200 * time.Millisecond, Parses: 20, FileSize: 10 << 20,
	}
}

// Quick returns a Config that takes half a minute, most of it for the server with one worker.
func Quick() Config {
	return Config{
		Servers: servers[:len(servers)-1], // without hosts, which take long to make
		Rounds:  1, Duration: 200 * time.Millisecond, Clients: 25, Workers: 4,
		Sleep: 50 * time.Millisecond, Latency: 100 * time.Millisecond, Parses: 1, FileSize: 1 << 20,
	}
}

// resolve checks c and replaces nil values with their defaults.
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
