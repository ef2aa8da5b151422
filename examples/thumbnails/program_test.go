package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
	"github.com/recycling-go/recycling/examples/internal/progtest"
)

// built is this command.
var built progtest.Program

func TestMain(m *testing.M) { built.Main(m) }

// eventually waits until ok returns true.
var eventually = progtest.Within(60 * time.Second)

// A process is this command, running.
type process struct {
	*exec.Cmd
	base  string // URL
	admin string // URL
	stop  func() // sends SIGTERM, and waits
}

var (
	serving = regexp.MustCompile(`recycling: serving addr=(\S+)`)
	working = regexp.MustCompile(`thumbnails: working`)
)

// start starts the web application, and waits until it serves.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	admin := progtest.FreeAddr(t)
	p, found := launch(t, serving, env, append([]string{"-addr=127.0.0.1:0", "-admin=" + admin}, args...)...)
	p.base, p.admin = "http://"+found[1], "http://"+admin
	return p
}

// launch starts this command, and waits until its log has a match of ready, which it returns.
func launch(t *testing.T, ready *regexp.Regexp, env []string, args ...string) (*process, []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs the program, which is built without the race detector")
	}
	p := &process{Cmd: exec.Command(built.Path(t), args...)}
	p.Env = append(os.Environ(), append([]string{"NATS_URL=", "THUMBNAILS_PLACE=", "TMPDIR=" + t.TempDir()}, env...)...)
	log, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan []string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(found)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			t.Log(lines.Text())
			if m := ready.FindStringSubmatch(lines.Text()); m != nil && len(found) == 0 {
				found <- m
			}
		}
	}()
	p.stop = sync.OnceFunc(func() {
		p.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(60*time.Second, func() { p.Process.Kill() })
		defer timer.Stop()
		<-done
		if err := p.Wait(); err != nil && p.ProcessState.ExitCode() != -1 {
			t.Errorf("%q ended with %v", args, err)
		}
	})
	t.Cleanup(p.stop)
	select {
	case m := <-found:
		if m == nil {
			t.Fatalf("%q ended", args)
		}
		return p, m
	case <-time.After(60 * time.Second):
		t.Fatalf("%q is not ready", args)
	}
	return nil, nil
}

// client has no connections that are kept, so that no request is sent to a process that has ended.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}

// An answer is a response that has been read.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) String() string { return fmt.Sprintf("%s: %.200q", a.Status, a.body) }

func request(t *testing.T, method, url string, body []byte) answer {
	t.Helper()
	a, err := try(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(method, url string, body []byte) (answer, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp, b}, err
}

func (p *process) post(t *testing.T, path string, picture []byte) answer {
	t.Helper()
	return request(t, "POST", p.base+path, picture)
}

// metric returns a line of the metrics, without its value.
func (p *process) metric(t *testing.T, line string) string {
	t.Helper()
	for text := range strings.Lines(string(request(t, "GET", p.admin+"/metrics", nil).body)) {
		if value, ok := strings.CutPrefix(text, line+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}

// group returns the workers of this process.
func (p *process) group(t *testing.T) task.Group {
	t.Helper()
	var r manage.Reply
	a := request(t, "GET", p.admin+"/tasks", nil)
	if err := json.Unmarshal(a.body, &r); err != nil || len(r.Groups) != 1 {
		t.Fatalf("/tasks answers %v, %v", a, err)
	}
	return r.Groups[0]
}

// checkEvents reads the stream of a picture of which a thumbnail can be made, and returns that.
func checkEvents(t *testing.T, r io.Reader) *thumbnail {
	t.Helper()
	var events []event
	d := json.NewDecoder(r)
	for {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("after %d events: %v", len(events), err)
		}
		events = append(events, e)
	}
	if len(events) < 5 {
		t.Fatalf("there are %d events", len(events))
	}
	first, last, percent := events[0], events[len(events)-1], 0
	if first.Maker == nil || last.Thumbnail == nil {
		t.Fatalf("the first event is %+v, and the last %+v", first, last)
	}
	for _, e := range events[1 : len(events)-1] {
		if e.Percent <= percent || e.Percent > 100 {
			t.Errorf("%d %% is done after %d %%", e.Percent, percent)
		}
		percent = e.Percent
	}
	return last.Thumbnail
}
