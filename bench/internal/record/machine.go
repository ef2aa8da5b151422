package record

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// A Machine describes the machine that figures come from.
type Machine struct {
	CPUs   int    `json:"cpus"` // the number that Go uses
	Model  string `json:"model,omitempty"`
	System string `json:"system"`
	Go     string `json:"go"`
	Kernel string `json:"kernel,omitempty"` // Linux only
	Memory int64  `json:"memory_bytes,omitempty"`
}

func thisMachine() Machine {
	m := Machine{CPUs: runtime.GOMAXPROCS(0), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	m.Model = field("/proc/cpuinfo", "model name")
	fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &m.Memory)
	m.Memory <<= 10
	return m
}

// field returns the text after "name:" in a file of such lines, or the empty string if there is no
// such line.
func field(file, name string) string {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m Machine) String() string {
	s := fmt.Sprintf("%d CPUs, %s, %s", m.CPUs, m.System, m.Go)
	if m.Model != "" {
		s = m.Model + ", " + s
	}
	if m.Kernel != "" {
		s += ", kernel " + m.Kernel
	}
	return s
}

// modules returns the versions of all modules in this program.
func modules() map[string]string {
	m := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			m[d.Path] = d.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
				m[s.Key] = s.Value
			}
		}
	}
	return m
}
