//go:build unix

package child_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
)

func init() {
	roles["signalled"] = func() int { return served(child.Serve(signalled)) }
	roles["parent"] = parentOfATask
	roles["endless"] = func() int {
		child.SetOrphanTime(10 * time.Millisecond)
		return served(child.Serve(func([]byte) ([]byte, error) { time.Sleep(time.Hour); return nil, nil }))
	}
}

var groupSignals = map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}

// signalled is a task during which its process gets the signal that the request names.
func signalled(request []byte) ([]byte, error) {
	syscall.Kill(os.Getpid(), groupSignals[string(request)])
	return request, nil
}

// systemd and Kubernetes send SIGTERM to all processes of a service; a terminal sends SIGINT and
// SIGHUP.
func TestSignalToTheWholeGroupEndsNoTask(t *testing.T) {
	for name, sig := range groupSignals {
		t.Run(name, func(t *testing.T) {
			p := start(t, as("signalled"), nil)
			if err := syscall.Kill(p.Pid(), sig); err != nil { // while it is idle
				t.Fatal(err)
			}
			for range 2 {
				if got, err := p.Call(ctx, []byte(name)); string(got) != name || err != nil {
					t.Fatalf("%q, %v; want %q", got, err, name)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// parentOfATask starts a child, gives it a task that does not return, and reports that.
func parentOfATask() int {
	c := as("endless")
	command := c.New
	c.New = func() *exec.Cmd {
		cmd := command()
		cmd.Stderr = os.Stderr
		return cmd
	}
	p, err := c.Start(ctx, nil)
	if err != nil {
		return served(err)
	}
	go p.Call(ctx, []byte("go on for ever"))
	os.Stdout.WriteString("started\n")
	time.Sleep(time.Hour)
	return 0
}

func TestChildWithATaskEndsWhenItsParentIsGone(t *testing.T) {
	parent := as("parent").New()
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, w, err := os.Pipe() // the child has it too
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	parent.Stderr = w
	err = parent.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("%q, %v", line, err)
	}
	parent.Process.Kill()
	parent.Wait()
	stderr.SetReadDeadline(time.Now().Add(time.Minute))
	said, err := io.ReadAll(stderr) // until the last process that holds it has ended
	if err != nil {
		t.Fatalf("the child goes on: %v", err)
	}
	// The child says nothing if it was still idle.
	if len(said) > 0 && !strings.Contains(string(said), "the parent is gone") {
		t.Errorf("%q", said)
	}
}
