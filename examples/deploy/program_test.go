package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/progtest"
)

// needs returns the path of a program that a test needs, and skips the test if there is none.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			t.Skipf("needs %s, which is not installed", program)
		}
	}
	return path
}

// read returns the text of a file.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replace replaces old in text, and fails the test if it is not there.
func replace(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the file has no %q", old)
	}
	return strings.ReplaceAll(text, old, new)
}

// write writes text into a file with this name in a temporary folder, and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// built is this command.
var built progtest.Program

func TestMain(m *testing.M) { built.Main(m) }

// eventually waits until ok returns true.
var eventually = progtest.Within(30 * time.Second)

// A process is a program that runs until it is stopped, at the latest when the test ends.
type process struct {
	*exec.Cmd
	terminate func()       // sends SIGTERM; a second one would kill the process
	stop      func() error // terminates, and waits
}

// launch starts a program. Its standard error goes to w.
func launch(t *testing.T, w io.Writer, name string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), name, args...)}
	p.Stderr = w
	p.terminate = sync.OnceFunc(func() { p.Process.Signal(syscall.SIGTERM) })
	p.Cancel = func() error { p.terminate(); return nil }
	p.WaitDelay = 30 * time.Second
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = sync.OnceValue(func() error {
		p.terminate()
		return p.Wait()
	})
	t.Cleanup(func() { p.stop() })
	return p
}

// An application is this command, running.
type application struct {
	*process
	addr  string
	admin string
}

// start starts this command, and waits until it serves. Further arguments override those of start.
func start(t *testing.T, args ...string) *application {
	t.Helper()
	return startProgram(t, built.Path(t), args...)
}

// startProgram is start with a program that runs this command.
func startProgram(t *testing.T, name string, args ...string) *application {
	t.Helper()
	a := &application{admin: progtest.FreeAddr(t)}
	r, w := io.Pipe()
	args = append([]string{"-addr=127.0.0.1:0", "-admin=" + a.admin, "-lame-duck=0s"}, args...)
	a.process = launch(t, w, name, args...)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "recycling: serving" {
			a.addr = line.Addr
			break
		}
		t.Log(lines.Text())
	}
	go io.Copy(io.Discard, r)
	if a.addr == "" {
		t.Fatalf("it does not serve: %v", a.stop())
	}
	return a
}

// get requests a URL, on a connection of its own, and returns the status and the body. The status
// is zero if there is no response.
func get(url string) (status int, body string) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// stats returns the counters of a.
func (a *application) stats(t *testing.T) (s recycling.Stats) {
	t.Helper()
	status, body := get("http://" + a.admin + "/stats")
	if status != http.StatusOK {
		t.Fatalf("/stats: %d, %s", status, body)
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}
