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

// serveWithFewDescriptors runs in that process: it has some descriptors for connections, and counts
// none of them.
func serveWithFewDescriptors() {
	lim := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		panic(err)
	}
	l, err := listenOwn()
	if err != nil {
		panic(err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		hello(w, r)
	}
	s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(handler)}, Limits: recycling.Limits{MaxConns: -1}, Strategy: recycling.Recycling}
	os.Stdout.WriteString(l.Addr().String() + "\n")
	panic(s.Serve(l))
}

// withFewDescriptors returns the address of a server that has 64 descriptors, and its log.
func withFewDescriptors(t *testing.T) (net.Addr, *logBuffer) {
	t.Helper()
	needsParking(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fewDescriptors+"=1")
	log := new(logBuffer)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(string(buf[:n])))
	if err != nil {
		t.Fatal(err)
	}
	return addr, log
}

// logsOnce checks that line is logged, once.
func logsOnce(t *testing.T, log *logBuffer, line string) {
	t.Helper()
	if !holds(func() bool { return strings.Contains(log.String(), line) }) || strings.Count(log.String(), line) != 1 {
		t.Errorf("the log has\n%swant once %s", log, line)
	}
}

// When no descriptor is left, idle connections make room for new ones, as at MaxConns.
func TestNewConnectionsAreServedWithFewDescriptors(t *testing.T) {
	parallel(t)
	addr, log := withFewDescriptors(t)
	var open []*client
	for range 200 {
		c := dialTo(t, addr)
		c.get("/")
		open = append(open, c)
	}
	open[0].ended()
	for _, c := range open[190:] { // they have been idle for the shortest time
		c.get("/")
	}
	logsOnce(t, log, "WARN recycling: closing connections to make room reason=descriptors limit=64\n")
}

// When no connection can make room, new ones get a 503 response.
func TestServeWithFewDescriptors(t *testing.T) {
	parallel(t)
	addr, log := withFewDescriptors(t)
	var open []*client
	refused := 0
	for range 200 {
		c := dialTo(t, addr)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch res.StatusCode {
		case http.StatusOK:
			open = append(open, c)
		case http.StatusServiceUnavailable:
			refused++
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
	logsOnce(t, log, "WARN recycling: refusing connections reason=descriptors limit=64\n")
	for _, c := range open {
		c.Close()
	}
	// Wait until the server has noticed.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c := dialTo(t, addr)
		c.send(get)
		if res, _ := c.response(); res.StatusCode == http.StatusOK {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("still answered with %v", res.Status)
		}
	}
}
