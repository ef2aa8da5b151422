package status

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// A process is what is known about the whole process. A limit of -1 is none, or unknown.
type process struct {
	Host       string        `json:"host"`
	PID        int           `json:"pid"`
	Uptime     time.Duration `json:"uptime_ns"`
	Processors int           `json:"gomaxprocs"`
	Goroutines int64         `json:"goroutines"`
	Memory     int64         `json:"memory_bytes"`       // of the Go runtime, as GOMEMLIMIT counts
	MaxMemory  int64         `json:"memory_limit_bytes"` // GOMEMLIMIT

	// Descriptors is -1 if the system does not tell how many are open.
	Descriptors    int64 `json:"descriptors"`
	MaxDescriptors int64 `json:"descriptor_limit"`
}

var hostname = sync.OnceValue(func() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown host"
	}
	return printable(name)
})

func thisProcess(now time.Duration) process {
	m := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/gomemlimit:bytes"},
	}
	metrics.Read(m)
	value := func(i int) int64 {
		if m[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return int64(min(m[i].Value.Uint64(), math.MaxInt64))
	}
	p := process{Host: hostname(), PID: os.Getpid(), Uptime: now, Processors: runtime.GOMAXPROCS(0),
		Goroutines: value(0), Memory: value(1) - value(2), MaxMemory: value(3), Descriptors: -1, MaxDescriptors: maxDescriptors()}
	if p.MaxMemory == math.MaxInt64 {
		p.MaxMemory = -1
	}
	// Linux 6.2 and newer tell the number as the size of the directory. To count the entries would
	// need a descriptor, and with many it would take long.
	if fi, err := os.Stat("/proc/self/fd"); err == nil && fi.Size() > 0 {
		p.Descriptors = fi.Size()
	}
	return p
}

// A build is what the program was built from.
type build struct {
	Module   string `json:"module"` // the path of the main module
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision"` // of version control; empty if unknown
	Time     string `json:"time"`     // of Revision
	Modified bool   `json:"modified"` // there were changes beyond Revision
}

var thisBuild = sync.OnceValue(func() build {
	b := build{Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Module, b.Version = info.Main.Path, info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
})

// Limits returns the limits of the process.
func (p process) Limits() []limit {
	descriptors := limit{Name: "descriptors", Limit: p.MaxDescriptors, What: "open descriptors", OfProcess: true}
	if p.Descriptors >= 0 {
		descriptors.Used = &p.Descriptors
	}
	return []limit{
		descriptors,
		{Name: "GOMEMLIMIT", Unit: "bytes", Limit: p.MaxMemory, Used: &p.Memory, What: "memory of the Go runtime", OfProcess: true},
	}
}
