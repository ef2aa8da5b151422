package jobs

import (
	"fmt"
	"time"
)

// A Config says how large a trial is. The zero value is the full trial, which takes about a quarter
// of an hour.
type Config struct {
	// Tasks is how many tasks are enqueued while things are killed. Zero means 10,000.
	Tasks int

	// Kills is how often a process is killed meanwhile. Zero means 100, and negative means never.
	Kills int

	// Duration is how long that takes. Zero means 5 minutes. The partition, the full disk and the
	// paused workers take a part of it that depends on it; the partition a tenth: 30 seconds.
	Duration time.Duration

	// Settle is how long all tasks may take to be done after the last fault. Zero means 3 minutes.
	Settle time.Duration

	// Rolls is how many workers are replaced under load after that. Zero means 100, and negative
	// means none.
	Rolls int

	// Machines is how often a whole machine is killed after that, to measure how long the others
	// need. Zero means 3, and negative means never. Without namespaces there are no machines.
	Machines int

	// Local runs all processes on the loopback interface, instead of in network namespaces. Then
	// there is no partition, and no disk is full.
	Local bool

	// Seed makes the random choices the same again. Zero means a new seed, which is reported.
	Seed uint64

	// Dir is where the processes write their logs, ledgers and stores. It is kept. If it is empty,
	// a temporary folder is used, and kept only if something is wrong.
	Dir string
}

// set replaces zero by a default, and a negative value by zero.
func set[T int | time.Duration](v *T, value T) {
	switch {
	case *v == 0:
		*v = value
	case *v < 0:
		*v = 0
	}
}

func (c *Config) setDefaults() error {
	for name, v := range map[string]time.Duration{"Duration": c.Duration, "Settle": c.Settle} {
		if v < 0 {
			return fmt.Errorf("jobs: %s is %v, want zero (the default) or more", name, v)
		}
	}
	if c.Tasks < 0 {
		return fmt.Errorf("jobs: Tasks is %d, want zero (the default) or more", c.Tasks)
	}
	set(&c.Tasks, 10_000)
	set(&c.Kills, 100)
	set(&c.Duration, 5*time.Minute)
	set(&c.Settle, 3*time.Minute)
	set(&c.Rolls, 100)
	set(&c.Machines, 3)
	return nil
}
