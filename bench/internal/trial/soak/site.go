package soak

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A site has the handlers of the server process.
type site struct {
	stats  func() recycling.Stats // nil means the Stats of the request's server
	slots  chan struct{}
	hold   time.Duration
	inside atomic.Int64
	wrong  atomic.Int64
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/stats", s.state)
	mux.HandleFunc("/collect", s.state)
	mux.HandleFunc("/work", s.work)
	mux.HandleFunc("/yo", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "yo") })
	mux.HandleFunc("/drain", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	mux.HandleFunc("/flood", flood)
	for path, h := range map[string]func(http.ResponseWriter, *http.Request, canary){
		"/sing/": s.sing, "/chunks/": s.chunks, "/echo/": s.echo, "/ignore/": s.ignore, "/early/": s.early,
		"/panic/": s.panic, "/cut/": s.cut, "/goexit/": s.goexit, "/hang/": s.hang, "/hijack/": s.hijack, "/keep/": s.keep,
	} {
		mux.HandleFunc(path, s.with(h))
	}
	return mux
}

// with returns a handler that checks the request's canary before and after h, and puts it into the
// response.
func (s *site) with(h func(http.ResponseWriter, *http.Request, canary)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.inside.Add(1)
		defer s.inside.Add(-1)
		c := s.whose(r)
		defer func() {
			if s.whose(r) != c {
				s.wrong.Add(1)
			}
		}()
		w.Header().Set(header, c.String())
		h(w, r, c)
	}
}

// whose returns the canary of a request, which is in its header and in its query.
func (s *site) whose(r *http.Request) canary {
	text := r.Header.Get(header)
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || r.URL.RawQuery == "" || !hasCanary(r.URL.RawQuery, text) {
		s.wrong.Add(1)
	}
	return canary(n)
}

// hasCanary reports whether a query is "SIZE.CANARY".
func hasCanary(query, text string) bool {
	n := len(query) - len(text)
	return n > 0 && query[n-1] == '.' && query[n:] == text
}

// size returns the SIZE of the query.
func size(r *http.Request) int {
	n := 0
	for _, d := range r.URL.RawQuery {
		if d < '0' || d > '9' {
			break
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// sing responds with SIZE bytes and a Content-Length.
func (s *site) sing(w http.ResponseWriter, r *http.Request, c canary) {
	w.Header().Set("Content-Length", strconv.Itoa(size(r)))
	w.Write(c.song(size(r)))
}

// chunks responds with SIZE bytes, in parts that it flushes.
func (s *site) chunks(w http.ResponseWriter, r *http.Request, c canary) {
	song := c.song(size(r))
	for part := range 4 {
		w.Write(song[part*len(song)/4 : (part+1)*len(song)/4])
		http.NewResponseController(w).Flush() // an error shows at the next Write
		runtime.Gosched()
	}
}

// echo checks the body, and responds with a body of the same length.
func (s *site) echo(w http.ResponseWriter, r *http.Request, c canary) {
	n, ok, err := c.hear(r.Body)
	if !ok {
		s.wrong.Add(1)
	}
	if err != nil {
		http.Error(w, "half a body", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(n))
	w.Write(c.song(n))
}

// ignore responds without reading the body.
func (s *site) ignore(w http.ResponseWriter, r *http.Request, c canary) { w.Write(c.song(size(r))) }

// early responds before it has read the body, and refuses the body.
func (s *site) early(w http.ResponseWriter, r *http.Request, c canary) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	w.Write(c.song(size(r)))
}

func (s *site) panic(http.ResponseWriter, *http.Request, canary) { panic("on purpose") }

// cut panics after it has sent half of the response.
func (s *site) cut(w http.ResponseWriter, r *http.Request, c canary) {
	w.Header().Set("Content-Length", strconv.Itoa(size(r)))
	w.Write(c.song(size(r) / 2))
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (s *site) goexit(http.ResponseWriter, *http.Request, canary) { runtime.Goexit() }

// hang returns when the client has disconnected.
func (s *site) hang(_ http.ResponseWriter, r *http.Request, _ canary) { <-r.Context().Done() }

// hijack takes over the connection, writes SIZE bytes, and closes it.
func (s *site) hijack(w http.ResponseWriter, r *http.Request, c canary) {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.wrong.Add(1)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(headerTimeout))
	nc.Write(append([]byte("HTTP/1.1 101 Switching Protocols\r\n"+header+": "+c.String()+"\r\nConnection: Upgrade\r\nUpgrade: song\r\n\r\n"), c.song(size(r))...))
}

// keep responds, and checks its request again after the handler has returned: a handler may keep
// its request.
func (s *site) keep(w http.ResponseWriter, r *http.Request, c canary) {
	s.inside.Add(1)
	go s.lookAgain(r, c)
	s.sing(w, r, c)
}

func (s *site) lookAgain(r *http.Request, c canary) {
	defer s.inside.Add(-1)
	for range 3 {
		time.Sleep(time.Millisecond)
		if s.whose(r) != c {
			s.wrong.Add(1)
		}
	}
}

// work uses a scarce resource, such as a connection to a database. It gives up when its client has
// given up.
func (s *site) work(w http.ResponseWriter, r *http.Request) {
	s.inside.Add(1)
	defer s.inside.Add(-1)
	if err := s.acquire(r.Context()); err != nil {
		return
	}
	time.Sleep(s.hold)
	<-s.slots
	io.WriteString(w, "done")
}

func (s *site) acquire(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flood responds with more than any buffer holds.
func flood(w http.ResponseWriter, _ *http.Request) {
	part := make([]byte, 16<<10)
	for range 64 << 20 / len(part) {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}
