package recycling_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// inherited returns the descriptors of this process that a child would inherit, by what they refer
// to.
func inherited(t testing.TB) (open map[string]bool) {
	open = map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		if err != nil {
			continue // it was the descriptor of ReadDir
		}
		for line := range strings.Lines(string(info)) {
			if octal, ok := strings.CutPrefix(line, "flags:"); ok {
				flags, err := strconv.ParseUint(strings.TrimSpace(octal), 8, 64)
				if err != nil {
					t.Fatal(err)
				}
				if flags&syscall.O_CLOEXEC == 0 {
					name, _ := os.Readlink("/proc/self/fd/" + fd.Name())
					open[fd.Name()+" "+name] = true
				}
			}
		}
	}
	return open
}

// Children of the server inherited its connections, listeners and pollers.
func TestGnet743_745_ChildrenInheritNothing(t *testing.T) {
	ls, err := exec.LookPath("ls")
	if err != nil {
		t.Skip(err)
	}
	forEach(t, everyMode, func(t *testing.T, m mode) {
		before := inherited(t)
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/child":
				out, err := exec.Command(ls, "-l", "/proc/self/fd").Output()
				if err != nil {
					t.Error(err)
				}
				for line := range strings.Lines(string(out)) {
					if strings.Contains(line, "socket:") || strings.Contains(line, "anon_inode:") {
						if _, fd, ok := strings.Cut(line, " -> "); ok && !hadBefore(before, strings.TrimSpace(fd)) {
							t.Errorf("a child has %s", fd)
						}
					}
				}
			case "/self":
				for fd := range inherited(t) {
					if !before[fd] {
						t.Errorf("a child would have %s", fd)
					}
				}
			case "/hijack":
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				for fd := range inherited(t) {
					if !before[fd] {
						t.Errorf("after Hijack a child would have %s", fd)
					}
				}
				c.Close()
				return
			}
			fmt.Fprint(w, "answer")
		})
		for range 3 {
			s.dial(t).get("/") // the connection is then idle
		}
		silent := s.dial(t)
		silent.send("GET / HT")
		s.once(t, "/self")
		s.once(t, "/child")
		c := s.dial(t)
		c.send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		c.ended()
	})
}

func hadBefore(before map[string]bool, name string) bool {
	for fd := range before {
		if strings.HasSuffix(fd, " "+name) {
			return true
		}
	}
	return false
}
