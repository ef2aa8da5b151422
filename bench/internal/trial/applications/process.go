package applications

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A process is an application that runs. Its owner must stop it.
type process struct {
	*harness.Process
	app    *Application
	dir    string // {dir}, which stop deletes
	values values
}

// Values are the variables of an Application. The methods may not be called at the same time.
type values map[string]string

var variable = regexp.MustCompile(`\{[a-z][a-z0-9_]*\}`)

// expand replaces the variables in text. Braces around anything else are left alone.
func (v values) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := v[name[1:len(name)-1]]; ok {
			return value
		}
		return name
	})
}

func (v values) expandAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = v.expand(text)
	}
	return all
}

// start starts the program in a new folder, and waits until it is ready. name is that of the
// folder: programs that are compared have names of the same length, so that their responses have
// the same length too.
func (s *subject) start(ctx context.Context, k kind, name string) (*process, error) {
	p := &process{app: s.Application, dir: filepath.Join(s.dir, name)}
	if err := p.start(ctx, s, k); err != nil {
		p.stop()
		return nil, fmt.Errorf("%v program: %w", k, err)
	}
	return p, nil
}

func (p *process) start(ctx context.Context, s *subject, k kind) error {
	if err := os.RemoveAll(p.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	p.values = values{"program": s.program(k), "dir": p.dir, "source": s.sourceDir(), "port": ports[0], "port2": ports[1], "port3": ports[2]}
	for name, lines := range s.Files {
		if err := writeLines(filepath.Join(p.dir, filepath.FromSlash(name)), p.values.expandAll(lines)); err != nil {
			return err
		}
	}
	env := append([]string{"RECYCLING_QUIET="}, p.values.expandAll(s.Env)...) // see recycledLine
	for _, args := range s.Before {
		args = p.values.expandAll(args)
		cmd := s.command(ctx, p.dir, args[0], args[1:]...)
		cmd.Env = append(cmd.Env, env...)
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	c := harness.Command{Program: s.program(k), Args: p.values.expandAll(s.Args), Env: env, Dir: p.dir, Addr: p.addr()}
	if p.Process, err = harness.Start(ctx, c); err != nil {
		return err
	}
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	// Otherwise the trial could compare a program with itself.
	if says := strings.Contains(p.Log(), recycledLine); says != (k == recycled) {
		return fmt.Errorf("it says that it is recycled: %t\n%s", says, p.Log())
	}
	return nil
}

// recycledLine is the beginning of the line that package core/auto writes when a server begins to
// serve.
const recycledLine = "recycling: built in by the command recycle"

// awaitReady returns when the path Ready has a response below 500.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	scheme := "http://"
	if p.app.TLS {
		scheme = "https://"
	}
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", scheme+p.addr()+p.app.Ready, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < 500 {
				return nil
			}
			err = fmt.Errorf("%s: %s", p.app.Ready, resp.Status)
		}
		select {
		case <-p.Done():
			return fmt.Errorf("it ended: %v\n%s", p.Err(), p.Log())
		case <-ctx.Done():
			return fmt.Errorf("not ready after 30 s: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// insecure is for clients of servers whose certificates are made for the trial.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func (p *process) addr() string { return "127.0.0.1:" + p.values["port"] }

// stop stops the program, and deletes its folder.
func (p *process) stop() {
	if p.Process != nil {
		p.Stop()
	}
	os.RemoveAll(p.dir)
}

// freePorts returns n ports of 127.0.0.1 that are free now. Another process can take one of them
// before the application does, but the kernel hands out ports in no order, so that is unlikely.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after all of them are open, so that they are different
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
