//go:build unix

package upgrade_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A service is a server process and its successors.
type service struct {
	t    testing.TB
	role role
	dir  string
	cmd  *exec.Cmd
	wait chan struct{} // closed when the first process has exited
	log  string        // a file
}

// start starts the first process of a service, and waits until it is ready. command, if it is not
// empty, runs the program.
func start(t testing.TB, r role, command ...string) *service {
	t.Helper()
	dir, err := os.MkdirTemp("", "upgrade") // a path below t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, dir: dir, log: filepath.Join(dir, "log"), wait: make(chan struct{})}
	r.PIDFile, r.Plan, r.Cert = filepath.Join(dir, "pid"), filepath.Join(dir, "plan"), filepath.Join(dir, "cert.pem")
	if r.States != "" {
		r.States = filepath.Join(dir, "states")
	}
	for i, text := range r.Listen {
		r.Listen[i] = strings.ReplaceAll(text, "DIR", dir)
	}
	s.role = r
	s.plan(planServe)
	writeCert(t, r.Cert)
	env, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command = append(command, os.Args[0])
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Env = append(os.Environ(), roleEnv+"="+string(env))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.reap()
	t.Cleanup(s.end)
	s.await("the first process is ready", func() bool { return s.pid() > 0 })
	return s
}

func (s *service) reap() {
	s.cmd.Wait()
	close(s.wait)
}

// end kills every process of the service: all are in its process group.
func (s *service) end() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.wait
	if s.t.Failed() {
		s.t.Logf("log of the service:\n%s", s.logged())
	}
	os.RemoveAll(s.dir)
}

// quit makes every process write what its goroutines do to the log, and exit.
func (s *service) quit() {
	all := -s.cmd.Process.Pid
	syscall.Kill(all, syscall.SIGQUIT)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline) && syscall.Kill(all, 0) == nil; {
		time.Sleep(time.Millisecond)
	}
}

func (s *service) plan(what string) {
	s.t.Helper()
	if err := os.WriteFile(s.role.Plan, []byte(what), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) logged() string {
	b, _ := os.ReadFile(s.log)
	return string(b)
}

// pid returns the ID of the process that serves, or zero.
func (s *service) pid() int {
	b, err := os.ReadFile(s.role.PIDFile)
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(b))
	return pid
}

// await waits until condition holds.
func (s *service) await(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.quit()
			s.t.Fatalf("not after 30 s: %s", what)
		}
	}
}

// running reports whether a process exists and is no zombie.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if _, err := os.Stat("/proc/self"); err != nil { // there is no /proc
			return syscall.Kill(pid, 0) == nil
		}
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func (s *service) signal(pid int, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// upgrade upgrades the service, and waits until the predecessor has exited. It returns the
// successor's process ID.
func (s *service) upgrade() int {
	s.t.Helper()
	before := s.pid()
	s.signal(before, s.upgradeSignal())
	s.await("the successor is ready", func() bool { return s.pid() != before })
	s.await("the predecessor has exited", func() bool { return !running(before) })
	return s.pid()
}

func (s *service) upgradeSignal() syscall.Signal {
	if s.role.Signal != 0 {
		return s.role.Signal
	}
	return syscall.SIGHUP
}

// awaitLog waits for a line that matches the expression.
func (s *service) awaitLog(expr string) {
	s.t.Helper()
	re := regexp.MustCompile(expr)
	s.await("a log line "+expr, func() bool { return re.MatchString(s.logged()) })
}

// freePort returns an address of 127.0.0.1 whose port is free.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// writeCert writes a certificate for "test", and its key, to a file.
func writeCert(t testing.TB, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"test"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	all := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
}
