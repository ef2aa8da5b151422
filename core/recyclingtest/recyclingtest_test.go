package recyclingtest_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "net/http", "recyclingtest"))
}

func TestNetHTTPPassesItself(t *testing.T) {
	t.Parallel()
	recyclingtest.Run(t, recyclingtest.NetHTTP())
}

func TestNetHTTPPassesOnUnixSockets(t *testing.T) {
	t.Parallel()
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
		return recyclingtest.Serve(srv, l)
	}
	recyclingtest.Run(t, target)
}
