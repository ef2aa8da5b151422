package apptest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
)

// A New makes the server of an example.
type New func(*app.App, ...recycling.Option) *recycling.Server

// Run tests an example in this process, under every strategy, or only under the strategy that the
// environment names.
func Run(t *testing.T, new New) {
	a := &app.App{}
	var err error
	if a.File, err = app.NewFile(); err != nil {
		t.Fatal(err)
	}
	defer a.File.Remove()
	t.Run("download uses ReadFrom", func(t *testing.T) { downloadUsesReadFrom(t, new(a)) })

	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) {
			s := new(a, func(s *recycling.Server) { s.Strategy = strategy })
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			base := "http://" + l.Addr().String()

			Ask(t, base)
			t.Run("stats", func(t *testing.T) { stats(t, base, strategy) })
			t.Run("echo is full duplex", func(t *testing.T) { echoIsFullDuplex(t, base) })
			t.Run("events end with the client and the server", func(t *testing.T) { eventsEnd(t, base, s) })
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
			}
		})
	}
}

func stats(t *testing.T, base string, strategy recycling.Strategy) {
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/stats", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := do(t, req)
	var s recycling.Stats
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if s.Strategy != strategy || s.Open < 1 || s.Accepted < int64(len(questions)) {
		t.Errorf("stats are %s, want strategy %s, this connection open, and all so far accepted", body, strategy)
	}
}

func echoIsFullDuplex(t *testing.T, base string) {
	in, out := io.Pipe()
	defer out.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/echo", in)
	if err != nil {
		t.Fatal(err)
	}
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(out, "one")
		sent <- err
	}()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != "one" {
		t.Fatalf("read %q, %v, want the first part before the second is sent", got, err)
	}
	if _, err := io.WriteString(out, "two"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "two" {
		t.Errorf("read %q, %v, want the second part", rest, err)
	}
}

// eventsEnd disconnects in the middle of a long response, and keeps another one. Then Shutdown does
// not have to wait for the first, and the second ends because the server drains.
func eventsEnd(t *testing.T, base string, s *recycling.Server) {
	leave, _ := openEvents(t, base)
	stay, rest := openEvents(t, base)
	defer stay()
	leave()
	shutdown, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := s.Shutdown(shutdown); err != nil {
		t.Errorf("Shutdown returned %v", err)
		s.Close()
	}
	if _, err := io.Copy(io.Discard, rest); err != nil {
		t.Errorf("reading the events to their end: %v", err)
	}
}

// openEvents asks for many events and reads the first. leave disconnects; rest are the others.
func openEvents(t *testing.T, base string) (leave func(), rest io.Reader) {
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/events?n=1000", nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := new(http.Transport)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	leave = func() {
		cancel()
		resp.Body.Close()
		tr.CloseIdleConnections()
	}
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); line != "data: 1\n" {
		t.Errorf("read %q, %v, want the first event", line, err)
	}
	return leave, r
}

// downloadUsesReadFrom checks that the server's own ResponseWriter reads from a file in a
// LimitedReader, which is what the net package needs for sendfile.
func downloadUsesReadFrom(t *testing.T, s *recycling.Server) {
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	s.HTTP.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/download?bytes=9", nil))
	lr, ok := w.src.(*io.LimitedReader)
	if !ok {
		t.Fatalf("ReadFrom got a %T, want an *io.LimitedReader", w.src)
	}
	if _, ok := lr.R.(*os.File); !ok {
		t.Errorf("the LimitedReader has a %T, want an *os.File", lr.R)
	}
	if h := w.Result().Header; w.Body.Len() != 9 || h.Get("Content-Length") != "9" {
		t.Errorf("%d bytes, Content-Length %q, want 9", w.Body.Len(), h.Get("Content-Length"))
	}
}

// A readerFrom records the argument of ReadFrom.
type readerFrom struct {
	*httptest.ResponseRecorder
	src io.Reader
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.src = src
	return io.Copy(w.ResponseRecorder, src)
}
