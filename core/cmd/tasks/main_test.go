package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
)

// A place records what it is asked to do.
type place struct {
	groups []task.Group
	err    error
	asked  []string
	wait   bool // until the client leaves
}

func (p *place) Groups(context.Context) ([]task.Group, error) { return p.groups, p.err }

func (p *place) Resize(_ context.Context, group string, by int) (int, error) {
	p.asked = append(p.asked, fmt.Sprint(group, " ", by))
	return 10 + by, p.err
}

func (p *place) Restart(ctx context.Context, group string) error {
	if p.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	p.asked = append(p.asked, group+" restart")
	return p.err
}

// tasks runs the command.
func tasks(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestCommands(t *testing.T) {
	for command, want := range map[string]struct{ asked, out string }{
		"add g":      {"g 1", "g: 11 workers\n"},
		"add g 3":    {"g 3", "g: 13 workers\n"},
		"remove g":   {"g -1", "g: 9 workers\n"},
		"remove g 5": {"g -5", "g: 5 workers\n"},
		"restart g":  {"g restart", "g: all workers have been replaced\n"},
	} {
		p := &place{}
		s := httptest.NewServer(manage.Handler(p))
		status, out, errs := tasks(append([]string{"-addr", s.URL + "/tasks"}, strings.Fields(command)...)...)
		s.Close()
		if status != 0 || out != want.out || errs != "" || len(p.asked) != 1 || p.asked[0] != want.asked {
			t.Errorf("%s: %d %q %q, asked %q", command, status, out, errs, p.asked)
		}
		p.err = errors.New("it refuses")
		s = httptest.NewServer(manage.Handler(p))
		status, out, errs = tasks(append([]string{"-addr", s.URL}, strings.Fields(command)...)...)
		s.Close()
		if status != 1 || out != "" || errs != "tasks: it refuses (status 500)\n" {
			t.Errorf("%s: %d %q %q", command, status, out, errs)
		}
	}
}

func TestList(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b bytes.Buffer
	list(&b, []task.Group{
		{Name: "thumbnails", Tasks: []string{"shrink", "crop"}, Workers: 4, Running: 3, Queued: 12, Restarts: 7, Oldest: at, Memory: 300 << 20},
		{Name: "rest", Workers: 1},
		{Name: "\x1b[2J", Tasks: []string{"a\nb"}},
	}, at.Add(90*time.Minute))
	want := `GROUP       WORKERS  RUNNING  QUEUED  RESTARTS  OLDEST   MEMORY     TASKS
thumbnails  4        3        12      7         1h30m0s  300.0 MiB  shrink crop
rest        1        0        0       0         -        -          all others
�[2J        0        0        0       0         -        -          a�b
`
	if b.String() != want {
		t.Errorf("\n%s\nwant\n%s", b.String(), want)
	}
}

func TestListOverASocket(t *testing.T) {
	p := &place{groups: []task.Group{{Name: "g"}}, err: errors.New("the others are unreachable")}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: manage.Handler(p)}
	go s.Serve(l)
	defer s.Close()
	status, out, errs := tasks("-socket", path, "list")
	if status != 1 || !strings.Contains(out, "\ng ") || !strings.Contains(errs, "the others are unreachable") {
		t.Errorf("%d %q %q", status, out, errs)
	}
	p.err = nil
	if status, out, errs = tasks("-socket", path, "list"); status != 0 || !strings.Contains(out, "\ng ") || errs != "" {
		t.Errorf("%d %q %q", status, out, errs)
	}
}

func TestWrongArguments(t *testing.T) {
	for args, want := range map[string]string{
		"":                       "there is no command",
		"kill g":                 `the command is "kill"`,
		"list g":                 "list has 1 arguments",
		"add":                    "add needs the name of a group",
		"add g 0":                `number is "0"`,
		"add g -1":               `number is "-1"`,
		"remove g x":             `number is "x"`,
		"remove g 1 2":           "remove has 3 arguments",
		"restart g 1":            "restart has 2 arguments",
		"-addr localhost:1 list": "-addr is",
		"-addr :1 list":          "-addr",
		"-timeout -1s list":      "-timeout is -1s",
		"-unknown list":          "-unknown",
	} {
		status, out, errs := tasks(strings.Fields(args)...)
		if status != 2 || out != "" || !strings.Contains(errs, want) || !strings.Contains(errs, "Usage:") {
			t.Errorf("%q: %d %q %q, want %q", args, status, out, errs, want)
		}
	}
	if status, _, errs := tasks("-h"); status != 0 || !strings.Contains(errs, "Usage:") {
		t.Errorf("%d %q", status, errs)
	}
}

func TestOtherServersAreRecognized(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if status, out, errs := tasks("-addr", s.URL, "list"); status != 1 || out != "" || !strings.Contains(errs, "404 Not Found and not with JSON") {
		t.Errorf("%d %q %q", status, out, errs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if status, _, errs := tasks("-addr", "http://"+l.Addr().String(), "list"); status != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("%d %q", status, errs)
	}
}

func TestTimeout(t *testing.T) {
	s := httptest.NewServer(manage.Handler(&place{wait: true}))
	defer s.Close()
	if status, _, errs := tasks("-addr", s.URL, "-timeout", "50ms", "restart", "g"); status != 1 || !strings.Contains(errs, "deadline exceeded") {
		t.Errorf("%d %q", status, errs)
	}
}

// Something else listens at the address.
func TestResponsesOfOtherServers(t *testing.T) {
	for _, test := range []struct{ response, want string }{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "is it the right path?"},
		{"HTTP/1.1 200 \x1b[2J\r\nContent-Length: 4\r\n\r\nHey!", "is it the right path?"},
		{"HTTP/1.1 404 \x1b[2J\r\nContent-Length: 2\r\n\r\n{}", "status 404"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.WriteString(c, test.response)
			}
		}()
		status, out, errs := tasks("-addr", "http://user:secret@"+l.Addr().String()+"/tasks", "restart", "g")
		l.Close()
		if status != 1 || out != "" || !strings.Contains(errs, test.want) || strings.Contains(errs, "secret") || strings.Contains(errs, "\x1b") {
			t.Errorf("%q: %d %q %q", test.response, status, out, errs)
		}
	}
}
