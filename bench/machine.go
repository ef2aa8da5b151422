package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// A machine is where figures come from.
type machine struct {
	CPUs   int    `json:"cpus"` // that Go uses
	System string `json:"system"`
	Go     string `json:"go"`
	Kernel string `json:"kernel,omitempty"` // Linux only
}

func thisMachine() machine {
	m := machine{CPUs: runtime.GOMAXPROCS(0), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	return m
}

func (m machine) String() string {
	s := fmt.Sprintf("%d CPUs, %s, %s", m.CPUs, m.System, m.Go)
	if m.Kernel != "" {
		s += ", kernel " + m.Kernel
	}
	return s
}
