package recyclingtest_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/recyclingtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Println("goroutines left behind:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// leaked returns the goroutines that are left, after some time to end for those that are about to.
func leaked() (stacks string) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		stacks = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")[1:] { // the first is ours
			if strings.Contains(g, "net/http") || strings.Contains(g, "recyclingtest") {
				stacks += g + "\n\n"
			}
		}
		if stacks == "" || time.Now().After(deadline) {
			return stacks
		}
	}
}

func TestNetHTTPPassesItself(t *testing.T) {
	recyclingtest.Run(t, recyclingtest.NetHTTP())
}

func TestNetHTTPPassesOnUnixSockets(t *testing.T) {
	target := recyclingtest.NetHTTP()
	target.Name = "unix"
	target.Start = func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
		dir, err := os.MkdirTemp("", "") // t.TempDir is too long for the name of a socket
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		return &recyclingtest.Instance{Addr: l.Addr(), Shutdown: srv.Shutdown, Close: srv.Close, Served: served}
	}
	recyclingtest.Run(t, target)
}
