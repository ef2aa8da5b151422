//go:build unix

package recycling_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// signalVariable makes the test process run the application of TestSecondSignalEndsTheProcess.
const signalVariable = "RECYCLING_TEST_SIGNAL"

// serveUntilSignal serves, and prints its address. After a signal it goes on for an hour.
func serveUntilSignal() {
	recycling.Serve(nil, recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
		s.LameDuck = time.Hour
		s.HTTP.Handler = http.HandlerFunc(s.Ready)
		s.HTTP.BaseContext = func(l net.Listener) context.Context {
			os.Stdout.WriteString(l.Addr().String() + "\n")
			return context.Background()
		}
	})
	os.Exit(1)
}

func TestSecondSignalEndsTheProcess(t *testing.T) {
	if os.Getenv(signalVariable) != "" {
		serveUntilSignal()
	}
	parallel(t)
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(string(strategy)+"/"+sig.String(), func(t *testing.T) {
				t.Parallel()
				if signal.Ignored(sig) {
					t.Skip("whoever has started the test ignores it")
				}
				cmd := exec.Command(os.Args[0], "-test.run=^TestSecondSignalEndsTheProcess$")
				cmd.Env = append(os.Environ(), signalVariable+"=1", recycling.EnvStrategy+"="+string(strategy))
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				line, _ := bufio.NewReader(out).ReadString('\n')
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				defer func() {
					cmd.Process.Kill()
					<-ended
				}()
				addr, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(line))
				if err != nil {
					t.Fatal(err)
				}
				status := func() int {
					c := dialTo(t, addr)
					c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
					res, _ := c.response()
					return res.StatusCode
				}
				eventually(t, "it to be ready", func() bool { return status() == http.StatusOK })
				cmd.Process.Signal(sig)
				eventually(t, "it to drain", func() bool { return status() == http.StatusServiceUnavailable })
				// Run stops receiving signals when it has received one, but perhaps a moment later.
				for deadline := time.After(patience); ; {
					cmd.Process.Signal(sig)
					select {
					case err := <-ended:
						ended <- err
						state := cmd.ProcessState.Sys().(syscall.WaitStatus)
						if !state.Signaled() || state.Signal() != sig {
							t.Errorf("after a second signal the process ended with %v, want %v", cmd.ProcessState, sig)
						}
						return
					case <-deadline:
						t.Fatal("the process goes on after further signals")
					case <-time.After(10 * time.Millisecond):
					}
				}
			})
		}
	}
}
