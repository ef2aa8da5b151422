// Package progtest is for tests that run the command of their own folder as a program.
package progtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A Program is the command of the folder in which the tests run. The zero value is ready to use.
type Program struct {
	once sync.Once
	dir  string
	err  error
}

// Path builds the program, the first time that it is called, and returns its path. It skips the
// test on Windows, where such a test could not stop the program.
func (p *Program) Path(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent SIGTERM here")
	}
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "progtest-"); p.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(p.dir, "app"), ".").CombinedOutput()
		if err != nil {
			p.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return filepath.Join(p.dir, "app")
}

// Main runs the tests, deletes the program, and exits. TestMain calls it.
func (p *Program) Main(m *testing.M) {
	code := m.Run()
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
	os.Exit(code)
}

// Within returns a function that waits until ok returns true. If that takes longer than limit, the
// function fails the test.
func Within(limit time.Duration) func(t *testing.T, what string, ok func() bool) {
	return func(t *testing.T, what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
}

// FreeAddr returns an address of loopback on which nobody listens.
func FreeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
