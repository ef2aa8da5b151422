package recycling_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// fewDescriptors is set for the process that TestServeWithFewDescriptors starts.
const fewDescriptors = "RECYCLING_TEST_FEW_DESCRIPTORS"

func init() {
	if os.Getenv(fewDescriptors) != "" {
		serveWithFewDescriptors()
	}
}

// serveWithFewDescriptors is that process: it has some for connections, and counts none of them.
func serveWithFewDescriptors() {
	lim := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		panic(err)
	}
	l, err := listenOwn()
	if err != nil {
		panic(err)
	}
	s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, MaxConns: -1, Strategy: recycling.Recycling}
	os.Stdout.WriteString(l.Addr().String() + "\n")
	panic(s.Serve(l))
}

func TestServeWithFewDescriptors(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fewDescriptors+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(string(buf[:n])))
	if err != nil {
		t.Fatal(err)
	}
	var open []*client
	refused := 0
	for range 200 {
		c := dialTo(t, addr)
		c.send(get)
		res, _ := c.response()
		switch res.StatusCode {
		case http.StatusOK:
			open = append(open, c)
		case http.StatusServiceUnavailable:
			refused++
			c.ended()
		default:
			t.Fatalf("answered with %v", res.Status)
		}
		if refused == 5 {
			break
		}
	}
	if refused < 5 || len(open) < 20 {
		t.Errorf("%d connections are open, and %d were refused", len(open), refused)
	}
	for _, c := range open {
		c.get("/") // they are as good as ever
		c.Close()
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // until the server has noticed
		c := dialTo(t, addr)
		c.send(get)
		if res, _ := c.response(); res.StatusCode == http.StatusOK {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("still answered with %v", res.Status)
		}
	}
}
