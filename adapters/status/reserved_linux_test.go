package status

import (
	"fmt"
	"io"
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

// noDescriptors is set for the process that TestPageIsReachedWithoutDescriptors starts.
const noDescriptors = "RECYCLING_TEST_NO_DESCRIPTORS"

func init() {
	if os.Getenv(noDescriptors) != "" {
		serveWithoutDescriptors()
	}
}

// serveWithoutDescriptors runs in that process. It prints the addresses of the page and of the
// server, and then opens files for as long as it can.
func serveWithoutDescriptors() {
	lim := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		panic(err)
	}
	p := &Page{Log: quiet()}
	s := recycling.New(http.NotFoundHandler(), p.Server("full"), func(s *recycling.Server) {
		s.Log, s.MaxConns = quiet(), -1
	})
	own, err := p.listen(":0")
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go p.serve(own)
	go s.Serve(l)
	for deadline := time.Now().Add(patience); s.Stats().Version == "" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(own.Addr(), l.Addr())
	var files []*os.File
	said := false
	for { // takes every descriptor that becomes free
		f, err := os.Open(os.DevNull)
		if err == nil {
			files = append(files, f)
			continue
		}
		if !said {
			said = true
			fmt.Println("full with", len(files))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// When the application has opened all descriptors, and opens any that becomes free, the page is
// still served, again and again.
func TestPageIsReachedWithoutDescriptors(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), noDescriptors+"=1")
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
	var page, server string
	var n int
	if _, err := fmt.Fscanf(out, "%s %s\nfull with %d\n", &page, &server, &n); err != nil {
		t.Fatal(err)
	}
	// A browser keeps its connection.
	browser := &http.Client{Timeout: patience, Transport: new(http.Transport)}
	defer browser.CloseIdleConnections()
	for range 20 {
		for _, c := range []*http.Client{client(t), browser} {
			status, text := fetch(t, c, "http://"+page+"/?format=text")
			if status != 200 || !strings.Contains(text, "full: serving") || !strings.Contains(text, "descriptors") {
				t.Fatalf("the status is %d:\n%s", status, text)
			}
			if strings.Contains(text, "descriptors –") {
				continue // an old kernel
			}
			if !strings.Contains(text, "near a limit: descriptors") && !strings.Contains(text, "refuses connections") {
				t.Fatalf("the page does not say that descriptors are few:\n%s", text)
			}
		}
	}
	if c, err := net.Dial("tcp", server); err == nil { // and the server has none for it
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
		buf := make([]byte, 20)
		c.SetReadDeadline(time.Now().Add(patience))
		if k, _ := c.Read(buf); strings.Contains(string(buf[:k]), "404") {
			t.Errorf("the server had a descriptor left, with %d files: %q", n, buf[:k])
		}
	}
}

// TestDescriptorOfAConnectionIsKept closes connections while spare descriptors are missing.
func TestDescriptorOfAConnectionIsKept(t *testing.T) {
	l, err := new(Page).listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	r := l.(*reserved)
	defer r.Close()
	for range 2 * spares {
		r.release()
		r.release()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.TCPListener.AcceptTCP() // which does not refill
		if err != nil {
			t.Fatal(err)
		}
		r.room <- struct{}{}
		c := &reservedConn{TCPConn: raw, listener: r}
		reading := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			reading <- err
		}()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err == nil {
			t.Error("a second Close succeeds")
		}
		if err := <-reading; err == nil {
			t.Error("a read ends without an error")
		}
		if r.spare[len(r.spare)-1] != raw {
			t.Error("the descriptor is not kept")
		}
		client.SetReadDeadline(time.Now().Add(patience))
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the client reads %d bytes, %v", n, err)
		}
		client.Close()
		r.refill()
	}
	if len(r.room) != 0 || len(r.spare) != spares {
		t.Errorf("%d connections are left, %d descriptors are kept", len(r.room), len(r.spare))
	}
}
