package recyclinggin_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
)

// TestRunUnixLeavesTheSocketOfItsSuccessor lets the next process take the path while a request is
// in flight.
func TestRunUnixLeavesTheSocketOfItsSuccessor(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		t.Setenv(recycling.EnvStrategy, string(strategy))
		dir, err := os.MkdirTemp("", "gin") // t.TempDir may be too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "s")
		successor := make(chan net.Listener, 1)
		engine := gin.New()
		engine.GET("/", func(c *gin.Context) {
			p, err := os.FindProcess(os.Getpid())
			if err != nil || p.Signal(syscall.SIGTERM) != nil {
				t.Error("cannot send a signal")
			}
			for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if l, err := net.Listen("unix", path); err == nil {
					successor <- l
					break
				}
			}
			c.Status(http.StatusNoContent)
		})
		served := make(chan error, 1)
		go func() { served <- recyclinggin.RunUnix(engine, path) }()
		nc := dial(t, "unix", path)
		defer nc.Close()
		fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := <-served; err != nil {
			t.Errorf("RunUnix returned %v, want nil", err)
		}
		select {
		case l := <-successor:
			defer l.Close()
		default:
			t.Fatal("the path was not free while a request was in flight")
		}
		next, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the next process cannot be reached: %v", err)
		}
		next.Close()
	})
}
