package recyclingtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

var loads = []behaviour{
	manyClientsGetTheirOwnResponses,
	manyShortConnectionsAreServed,
	largeBodyIsEchoed,
	largeBodyIsEchoedWhileItArrives,
	slowReaderGetsEverything,
	blockedHandlersDoNotBlockOthers,
}

// manyClientsGetTheirOwnResponses uses 200 concurrent connections with all kinds of requests. Each
// request has a canary that must appear in its own response only.
func manyClientsGetTheirOwnResponses(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Canary", r.Header.Get("X-Canary"))
		switch r.URL.Path {
		case "/unread":
			io.WriteString(w, r.URL.RawQuery)
		case "/flush":
			io.WriteString(w, r.URL.RawQuery)
			w.(http.Flusher).Flush()
			io.Copy(io.Discard, r.Body)
		default:
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			io.WriteString(w, r.URL.RawQuery)
			w.Write(body)
		}
	})
	var all sync.WaitGroup
	bad := make(chan string, 200)
	for i := range 200 {
		all.Go(func() {
			if err := s.mixedClient(i); err != nil {
				bad <- fmt.Sprintf("client %d: %v", i, err)
			}
		})
	}
	all.Wait()
	close(bad)
	for s := range bad {
		t.Errorf("%s", s)
	}
}

// mixedClient sends requests of all kinds, some of them pipelined.
func (s *server) mixedClient(i int) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	for n := range 6 {
		canary := fmt.Sprintf("canary-%d-%d", i, n)
		body := canary + pattern(n*i)
		header := "X-Canary: " + canary
		type exchange struct{ raw, text string }
		exchanges := []exchange{
			{get("/?"+canary, header), canary},
			{post("/?"+canary, body, header), canary + body},
			{request("POST", "/?"+canary, header, "Transfer-Encoding: chunked") + inChunks(body, body) + "0\r\n\r\n", canary + body + body},
			{post("/unread?"+canary, body, header), canary},
			{post("/flush?"+canary, body, header), canary},
		}
		k := (i + n) % len(exchanges)
		exchanges = append(exchanges[k:len(exchanges):len(exchanges)], exchanges[:k]...)
		var pipeline strings.Builder
		for _, e := range exchanges {
			pipeline.WriteString(e.raw)
		}
		if _, err := io.WriteString(c, pipeline.String()); err != nil {
			return err
		}
		for _, e := range exchanges {
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(resp.Body)
			if string(got) != e.text || err != nil || resp.Header.Get("X-Canary") != canary {
				return fmt.Errorf("response to %.60q is %.100q, %v, canary %q", e.raw, got, err, resp.Header.Get("X-Canary"))
			}
		}
	}
	return nil
}

func manyShortConnectionsAreServed(t *test) {
	s := t.serve(echoTarget)
	var all sync.WaitGroup
	bad := make(chan string, 500)
	for i := range 8 {
		all.Go(func() {
			for n := range 60 {
				target := fmt.Sprintf("/%d/%d", i, n)
				c, err := s.connect()
				if err != nil {
					bad <- err.Error()
					return
				}
				got, err := c.roundTrip(get(target, "Connection: close"))
				if got != target || err != nil {
					bad <- fmt.Sprintf("%q, %v; want %q", got, err, target)
				}
				c.Close()
			}
		})
	}
	all.Wait()
	close(bad)
	for s := range bad {
		t.Errorf("%s", s)
	}
}

const large = 5 << 20

func largeBodyIsEchoed(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		w.Write(body)
	})
	client, body := s.client(t), []byte(pattern(large))
	for name, reader := range map[string]io.Reader{"fixed": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
		t.echoes(client, name, reader, body)
	}
}

// largeBodyIsEchoedWhileItArrives needs full duplex: otherwise the body ends with the first byte of
// the response.
func largeBodyIsEchoedWhileItArrives(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		io.Copy(w, r.Body)
	})
	client, body := s.client(t), []byte(pattern(large))
	for name, reader := range map[string]io.Reader{"fixed": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
		t.echoes(client, name, reader, body)
	}
}

// echoes posts body and fails the test unless it is the response.
func (t *test) echoes(client *http.Client, name string, body io.Reader, want []byte) {
	t.Helper()
	resp, err := client.Post(origin, "x/y", body)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if !bytes.Equal(got, want) || err != nil {
		t.Errorf("%s: %s, %d bytes, %v; want %d bytes", name, resp.Status, len(got), err, len(want))
	}
}

func slowReaderGetsEverything(t *test) {
	want := pattern(4 << 20)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, want) })
	slow, other := s.dial(t), s.dial(t)
	slow.send(get("/"))
	slow.head()
	for range 10 {
		other.send(request("HEAD", "/"))
		other.head()
	}
	slow.send(get("/"))
	got, err := io.ReadAll(io.LimitReader(slow.r, 1<<20))
	if err != nil || len(got) != 1<<20 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	slow.halfClose()
	rest, err := io.ReadAll(slow.r)
	if err != nil || len(rest) < 7<<20 {
		t.Fatalf("%d bytes after the first, %v", len(rest), err)
	}
}

// blockedHandlersDoNotBlockOthers: handlers that wait for each other must all be called.
func blockedHandlersDoNotBlockOthers(t *test) {
	const n = 100
	entered, g := make(chan bool, n), t.newGate()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/block" {
			entered <- true
			<-g
		}
		echoTarget(w, r)
	})
	idle := s.dial(t)
	idle.goesOn()
	var clients []*wire
	for range n {
		c := s.dial(t)
		c.send(get("/block"))
		clients = append(clients, c)
	}
	for range n {
		receive(t, entered, "request")
	}
	idle.goesOn()
	s.dial(t).goesOn()
	g.open()
	for _, c := range clients {
		c.wants(200, "/block")
	}
}
