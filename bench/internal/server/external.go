package server

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"text/template"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A command is a server that may not be installed.
type command struct {
	find func() (path string, err error) // its error is a line that says what is missing
	file string                          // the name of the file that gets the text
	text *template.Template              // executed with a setup
	args func(file string) []string
}

// A setup has the parameters of a command's file.
type setup struct {
	Port  int
	Conns int // zero if the server's default is high enough
	Procs int // zero means as many as there are processors
}

// Connections returns a limit on connections that allows Conns, or byDefault if that is higher. It
// adds a few for probes and for connections that are being closed.
func (s setup) Connections(byDefault int) int { return max(s.Conns+64, byDefault) }

//go:embed nginx.conf
var nginxConf string

//go:embed hunchentoot.lisp
var hunchentootLisp string

//go:embed tornado_server.py
var tornadoPy string

// /usr/sbin is not on every user's PATH. Another Python may come before the one that packages are
// installed for.
var (
	nginx = &command{
		find: finder("nginx-light", []string{"nginx", "/usr/sbin/nginx"}, "-v"),
		file: "nginx.conf",
		text: template.Must(template.New("").Parse(nginxConf)),
		args: func(file string) []string { return []string{"-e", "stderr", "-p", filepath.Dir(file), "-c", file} },
	}
	hunchentoot = &command{
		find: finder("sbcl cl-hunchentoot", []string{"sbcl"}, "--noinform", "--no-sysinit", "--no-userinit", "--non-interactive",
			"--eval", "(require :asdf)", "--eval", "(asdf:load-system :hunchentoot)"),
		file: "hunchentoot.lisp",
		text: template.Must(template.New("").Parse(hunchentootLisp)),
		args: func(file string) []string { return []string{"--script", file} },
	}
	tornado = &command{
		find: finder("python3-tornado", []string{"python3", "/usr/bin/python3"}, "-c", "import tornado.web"),
		file: "tornado_server.py",
		text: template.Must(template.New("").Parse(tornadoPy)),
		args: func(file string) []string { return []string{file} },
	}
)

// finder returns a function that looks, once, for the first of the programs that succeeds with the
// given arguments.
func finder(packages string, programs []string, args ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		// No working program takes that long.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		for _, program := range programs {
			path, err := exec.LookPath(program)
			if err != nil {
				continue
			}
			if exec.CommandContext(ctx, path, args...).Run() == nil {
				return path, nil
			}
		}
		return "", fmt.Errorf("not installed (Debian: %s)", packages)
	})
}

// external makes the command of a server that is not part of this executable.
func (p *Process) external(c *command) (made harness.Command, err error) {
	if made.Program, err = c.find(); err != nil {
		return made, err
	}
	if p.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return made, err
	}
	port, err := freePort()
	if err != nil {
		return made, err
	}
	made.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	var text bytes.Buffer
	if err := c.text.Execute(&text, setup{Port: port, Conns: p.spec.Conns, Procs: p.spec.Procs}); err != nil {
		return made, err
	}
	file := filepath.Join(p.dir, c.file)
	made.Args = c.args(file)
	return made, os.WriteFile(file, text.Bytes(), 0o600)
}

// freePort returns a TCP port on which nobody listens. If another process takes it first, the
// server does not start.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
