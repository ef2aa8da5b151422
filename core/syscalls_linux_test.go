//go:build !recycling_nopark

package recycling_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// childOf is set in a process that must be a server: see serveChild.
const childOf = "RECYCLING_TEST_CHILD"

func init() {
	if os.Getenv(childOf) != "" {
		serveChild()
	}
}

// serveChild serves the listener that it has inherited as descriptor 3, until it is killed.
func serveChild() {
	l, err := listener.FromFile(os.NewFile(3, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	path := filepath.Join(os.TempDir(), fmt.Sprint("recycling-test-", os.Getpid()))
	os.WriteFile(path, make([]byte, 1<<20), 0o600)
	file, _ := os.Open(path)
	os.Remove(path)
	var s *recycling.Server
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 64<<20)) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(file, 0, 1<<20))
	})
	mux.HandleFunc("/sendfile", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open("/proc/self/exe")
		if err != nil {
			return
		}
		defer f.Close()
		io.CopyN(w, f, 8<<20) // more than a socket buffers
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Write(make([]byte, 16<<20))
			c.Close()
		}
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		for fd := range 3 {
			syscall.Close(fd)
		}
	})
	mux.HandleFunc("/number", func(w http.ResponseWriter, r *http.Request) {
		names, _ := filepath.Glob("/proc/self/fd/[012]")
		sockets := 0
		for _, name := range names {
			if to, _ := os.Readlink(name); strings.HasPrefix(to, "socket:") {
				sockets++
			}
		}
		fmt.Fprint(w, sockets)
	})
	mux.HandleFunc("/files", func(w http.ResponseWriter, r *http.Request) {
		names, _ := os.ReadDir("/proc/self/fd")
		fmt.Fprint(w, len(names))
	})
	mux.HandleFunc("/errors", func(w http.ResponseWriter, r *http.Request) {
		st := s.Stats()
		fmt.Fprint(w, st.AcceptErrors+st.PollErrors)
	})
	mux.HandleFunc("/open", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, s.Stats().Open) })
	s = &recycling.Server{Strategy: recycling.Recycling, HTTP: &http.Server{Handler: mux}}
	s.Serve(l)
	os.Exit(1)
}

// A child is a process that serves.
type child struct {
	t     *testing.T
	addr  string
	cmd   *exec.Cmd
	ended chan error
}

// newChild starts a server process, by a command that begins with prefix.
func newChild(t *testing.T, prefix ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&listener.Config{DeferAccept: -1}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	args := append(prefix, exe)
	c := &child{t: t, addr: l.Addr().String(), cmd: exec.Command(args[0], args[1:]...), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childOf+"=1")
	c.cmd.ExtraFiles = []*os.File{f}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.wait()
	t.Cleanup(func() {
		syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.ended
	})
	return c
}

func (c *child) wait() {
	c.ended <- c.cmd.Wait()
	close(c.ended)
}

// get sends one request on a new connection.
func (c *child) get(path string) (body string, err error) {
	var b strings.Builder
	err = c.copy(&b, path)
	return b.String(), err
}

// copy is get for long bodies.
func (c *child) copy(to io.Writer, path string) error {
	nc, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

// serves waits until requests get a response.
func (c *child) serves() {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for good := 0; good < 10; {
		select {
		case err := <-c.ended:
			c.t.Fatalf("the server process has ended: %v", err)
		default:
		}
		body, err := c.get("/")
		if err == nil && body == "hello" {
			good++
			continue
		}
		if good = 0; time.Now().After(deadline) {
			c.t.Fatalf("no answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// number returns the number at path.
func (c *child) number(path string) int {
	c.t.Helper()
	body, err := c.get(path)
	n, nerr := strconv.Atoi(body)
	if err != nil || nerr != nil {
		c.t.Fatalf("%s: %v, %v", path, err, nerr)
	}
	return n
}

// settles waits until the number at path is at most want.
func (c *child) settles(path string, want int) {
	c.t.Helper()
	n := 0
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		if n = c.number(path); n <= want {
			return
		}
	}
	c.t.Errorf("%s is %d, want %d", path, n, want)
}

// If an os.File writes to descriptor 1 or 2, SIGPIPE is raised if the client has disconnected.
func TestConnectionsMayHaveTheStandardDescriptors(t *testing.T) {
	parallel(t)
	for _, path := range []string{"/big", "/sendfile", "/hijack"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			c := newChild(t)
			c.serves()
			c.get("/close")
			for range 2 {
				var conns []*net.TCPConn
				for range 4 {
					nc, err := net.Dial("tcp", c.addr)
					if err != nil {
						t.Fatal(err)
					}
					defer nc.Close()
					fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
					if _, err := io.ReadFull(nc, make([]byte, 100)); err != nil {
						t.Fatal(err)
					}
					conns = append(conns, nc.(*net.TCPConn))
				}
				if n := c.number("/number"); n < 2 {
					t.Errorf("only %d of the descriptors 0, 1 and 2 are connections", n)
				}
				for _, nc := range conns {
					nc.CloseWrite() // then the reset causes EPIPE, not ECONNRESET
				}
				for _, nc := range conns {
					nc.Close()
				}
				c.serves()
				c.settles("/open", 1)
			}
		})
	}
}
