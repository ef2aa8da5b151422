package examples_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/apptest"
)

// TestPrograms starts each example as a program, sends it every request, and stops it with SIGTERM
// in the middle of a response.
func TestPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent SIGTERM here")
	}
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, framework := range []string{"chi", "echo", "echo5", "gin"} {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), framework)
			if out, err := exec.Command("go", "build", "-o", program, "./"+framework).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			for _, strategy := range strategies {
				t.Run(string(strategy), func(t *testing.T) { testProgram(t, program, strategy) })
			}
			t.Run("alike", func(t *testing.T) { testAlike(t, program, strategies) })
		})
	}
}

func testProgram(t *testing.T, program string, strategy recycling.Strategy) {
	p := start(t, program, strategy)
	apptest.Ask(t, p.base)

	in, out := io.Pipe()
	defer out.Close()
	upload := p.stream(t, "POST", "/echo", in, func() { io.WriteString(out, "one") }, "one")
	events := p.stream(t, "GET", "/events?n=1000", nil, func() {}, "data: 1\n\n")
	p.cmd.Process.Signal(syscall.SIGTERM)
	// The events end at once, and the other response is completed.
	if _, err := io.Copy(io.Discard, events); err != nil {
		t.Errorf("after SIGTERM the events ended with %v", err)
	}
	io.WriteString(out, "two")
	out.Close()
	if rest, err := io.ReadAll(upload); string(rest) != "two" || err != nil {
		t.Errorf("after SIGTERM the answer went on with %q, %v, want %q", rest, err, "two")
	}
	log := p.wait(t)
	if strings.Count(log, "\n") != 2 {
		t.Errorf("logged\n%s\nwant two lines: where it serves, and what it drained", log)
	}
	if !drained.MatchString(log) {
		t.Errorf("logged\n%s\nwant %s in it", log, drained)
	}
	if left, _ := filepath.Glob(filepath.Join(p.temp, "*")); len(left) > 0 {
		t.Errorf("it left %q behind", left)
	}
}

// stream sends a request, calls send, expects that the response begins with first, and returns the
// rest of it.
func (p *process) stream(t *testing.T, method, path string, body io.Reader, send func(), first string) io.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	go send()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	got := make([]byte, len(first))
	if _, err := io.ReadFull(resp.Body, got); string(got) != first || err != nil {
		t.Fatalf("the answer begins with %q, %v, want %q", got, err, first)
	}
	return resp.Body
}

// testAlike compares the responses of program under each strategy with those under the first, which
// is net/http's.
func testAlike(t *testing.T, program string, strategies []recycling.Strategy) {
	var want map[string]string
	for _, strategy := range strategies {
		p := start(t, program, strategy)
		got := apptest.Hear(t, p.base)
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.wait(t)
		if want == nil {
			want = got
			continue
		}
		for name, answer := range got {
			if answer != want[name] {
				t.Errorf("%s: %s answers\n%.2000q\n%s answers\n%.2000q", name, strategies[0], want[name], strategy, answer)
			}
		}
	}
}

// A process is a running example.
type process struct {
	cmd    *exec.Cmd
	base   string // URL
	temp   string // its folder for temporary files
	first  string // the first line of its log
	stderr io.Reader
	stdout bytes.Buffer
}

var (
	serving = regexp.MustCompile(`recycling: serving addr=(\S+) strategy=(\S+) standby=\d+ version=v\S+\n`)
	drained = regexp.MustCompile(`recycling: drained connections=[1-9]\d* abandoned=0\n`)
)

// start starts program on a free port, and waits until it serves.
func start(t *testing.T, program string, strategy recycling.Strategy) *process {
	p := &process{cmd: exec.CommandContext(t.Context(), program, "-addr", "127.0.0.1:0"), temp: t.TempDir()}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", recycling.EnvStrategy, strategy), "TMPDIR="+p.temp)
	p.cmd.Stdout = &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stderr)
	p.stderr = r
	p.first, _ = r.ReadString('\n')
	m := serving.FindStringSubmatch(p.first)
	if m == nil || m[2] != string(strategy) {
		t.Fatalf("the first line is %q, want %s with strategy %s", p.first, serving, strategy)
	}
	p.base = "http://" + m[1]
	return p
}

// wait waits until p has exited, and returns its log.
func (p *process) wait(t *testing.T) string {
	rest, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Error(err)
	}
	log := p.first + string(rest)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0; its log:\n%s", err, log)
	}
	if p.stdout.Len() > 0 {
		t.Errorf("printed %q, want nothing", &p.stdout)
	}
	return log
}
