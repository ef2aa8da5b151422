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
)

// A command is a server that may be installed or not.
type command struct {
	find func() (path string, err error) // the error is a line that says what is missing
	file string                          // the name of the file that text is written to
	text *template.Template              // of a setup
	args func(file string) []string
}

// A setup is what a command's file is made with.
type setup struct {
	Port  int
	Conns int // zero: the server's default is high enough
	Procs int // zero: as many as there are processors
}

// Connections is a limit for that many connections: the default, if that is higher. The few more are for probes
// and for connections that are being closed.
func (s setup) Connections(byDefault int) int { return max(s.Conns+64, byDefault) }

//go:embed nginx.conf
var nginxConf string

//go:embed hunchentoot.lisp
var hunchentootLisp string

//go:embed tornado_server.py
var tornadoPy string

// Sbin is not on everybody's PATH, and another Python may come before the one that packages are installed for.
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

// finder returns a function that looks, once, for the first of the programs that succeeds with these arguments.
func finder(packages string, programs []string, args ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // nothing takes so long that works
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

// external makes the command of a server that is not this executable.
func (p *Process) external(ctx context.Context, c *command) error {
	program, err := c.find()
	if err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", port)
	var text bytes.Buffer
	if err := c.text.Execute(&text, setup{Port: port, Conns: p.spec.Conns, Procs: p.spec.Procs}); err != nil {
		return err
	}
	file := filepath.Join(p.dir, c.file)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	p.cmd = exec.CommandContext(ctx, program, c.args(file)...)
	return nil
}

// freePort returns a TCP port that nobody listens on. Somebody else may be faster, and the server then does not start.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
