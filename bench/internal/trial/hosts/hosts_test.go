package hosts_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

// TestMain makes the test binary a server when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		http.ListenAndServe(os.Args[2], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func network(t *testing.T, names ...string) *hosts.Network {
	t.Helper()
	n, err := hosts.New(t.Context(), t.TempDir(), names...)
	if errors.Is(err, hosts.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestHostIsCutOffAndHealed(t *testing.T) {
	n := network(t, "host1", "host2")
	h := n.Hosts[1]
	program, args := h.Command(os.Args[0], "serve", h.Addr+":80")
	server := exec.Command(program, args...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	get := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+h.Addr+"/", nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Transport{DialContext: n.Dial, DisableKeepAlives: true}).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	await(t, "the server answers", func() bool { return get() == nil })
	if err := h.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if get() == nil {
		t.Error("the server answers while its host is cut off")
	}
	if err := h.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the server answers again", func() bool { return get() == nil })
}

// await waits until ok returns true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestFullDisk(t *testing.T) {
	n := network(t, "host1")
	dir, err := n.Hosts[0].Mount("store", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	free, err := hosts.Fill(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o666); err == nil {
		t.Error("a byte could be written although the disk is full")
	}
	if err := free(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o666); err != nil {
		t.Error(err)
	}
}
