package recycling_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// The modes in which bugs of other servers are tested. In cveModes, net/http is the control.
var (
	cveModes    = []mode{recyclingOwn, recyclingWrapped, poolOwn, goroutineOwn}
	cveOurModes = []mode{recyclingOwn, recyclingWrapped, poolOwn}
)

// A reading is how a server interprets the bytes of a request.
type reading int

const (
	isRefused reading = 1 << iota // no handler runs; an error response; the connection closes
	isBroken                      // the handler cannot read the whole body; the connection closes
	isLast                        // it is served, and the connection closes
	isWhole                       // it is served, and so is the next request
)

func (r reading) String() string {
	var names []string
	for i, name := range []string{"refused", "broken", "last", "whole"} {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// A vector is a request that some servers have interpreted in different ways.
type vector struct {
	name, raw string
	want      reading // any of these
	nethttp   reading // that of net/http, if different
	body      string  // the body that the handler reads, if it is served
}

// A witness is a handler that records its requests, and reads every body.
type witness struct {
	mu   sync.Mutex // guards the following
	seen []sighting
}

type sighting struct {
	uri, body string
	err       error // of reading the body
}

func (s sighting) String() string { return fmt.Sprintf("%s %.60q %v", s.uri, s.body, s.err) }

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.mu.Lock()
	w.seen = append(w.seen, sighting{r.RequestURI, string(body), err})
	w.mu.Unlock()
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
	}
}

func (w *witness) take() []sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// readVectors sends each of vectors, followed by another request, in each of modes.
func readVectors(t *testing.T, modes []mode, vectors []vector) {
	forEach(t, modes, func(t *testing.T, m mode) {
		var w witness
		s := m.start(t, &recycling.Server{HTTP: quiet()}, w.ServeHTTP)
		for _, v := range vectors {
			want := v.want
			if m.strategy == recycling.Goroutine && v.nethttp != 0 {
				want = v.nethttp
			}
			c := s.dial(t)
			go io.WriteString(c, v.raw+"GET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			answers := c.answers()
			seen := w.take()
			if got := judge(v, seen, answers); got&want == 0 {
				t.Errorf("%s: %v, want %v; the handler has seen %v, the answers are %q", v.name, got, want, seen, answers)
			}
			c.Close()
		}
		s.once(t, "/")
	})
}

// answers returns the status lines of all responses until the connection is closed.
func (c *client) answers() (all []string) {
	c.t.Helper()
	for {
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				c.t.Errorf("after %q: the connection is still open", all)
			}
			return all
		}
		_, err = io.Copy(io.Discard, res.Body)
		status := res.Status
		if res.Close {
			status += ", close"
		}
		if err != nil {
			status += fmt.Sprint(", ", err)
		}
		all = append(all, status)
	}
}

// judge returns how v was interpreted, or zero if that is not allowed.
func judge(v vector, seen []sighting, answers []string) reading {
	ends := len(answers) == 1 && strings.HasSuffix(answers[0], ", close")
	served := len(seen) > 0 && seen[0].err == nil && seen[0].uri != "/next" && seen[0].body == v.body && len(answers) > 0 && strings.HasPrefix(answers[0], "200 ")
	switch {
	case len(seen) == 0 && ends && (answers[0][0] == '4' || answers[0][0] == '5'):
		return isRefused
	case len(seen) == 1 && seen[0].err != nil && ends:
		return isBroken
	case len(seen) == 1 && served && ends:
		return isLast
	case len(seen) == 2 && served && len(answers) == 2 && seen[1] == sighting{uri: "/next"}:
		return isWhole
	}
	return 0
}

// with returns a request without a body, with these header lines.
func with(lines ...string) string {
	return "POST / HTTP/1.1\r\nHost: test\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// inChunks returns a request whose body is raw, which is already chunked.
func inChunks(raw string) string { return with("Transfer-Encoding: chunked") + raw }

// smuggled is a request that must never reach a handler.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

// allocated returns how many bytes the whole process allocates while f runs.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// inUse returns how many bytes of heap and stacks are in use.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// flood sends piece repeatedly, until the server no longer accepts it or size bytes are sent. It
// returns the number of bytes sent.
func (c *client) flood(piece string, size int) (sent int) {
	b := bytes.Repeat([]byte(piece), max(1, (64<<10)/len(piece)))
	for sent < size {
		n, err := c.Write(b)
		sent += n
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.t.Errorf("after %d bytes the server neither reads nor closes the connection", sent)
			}
			break
		}
	}
	return sent
}

// socketSpace is an upper bound of the bytes in flight between two sockets.
const socketSpace = 16 << 20

// A meter is a listener that counts the bytes read from its connections.
type meter struct {
	net.Listener
	read atomic.Int64
}

type meterConn struct {
	net.Conn
	read *atomic.Int64
}

func (l *meter) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return meterConn{c, &l.read}, err
}

func (c meterConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// metered returns m with a listener whose connections are metered.
func (m mode) metered() (mode, *meter) {
	l := new(meter)
	m.parks = false
	m.listen = func() (_ net.Listener, err error) {
		l.Listener, err = listenNet()
		return l, err
	}
	return m, l
}

// A journal is the text written to an ErrorLog.
type journal struct {
	mu  sync.Mutex // guards the following
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

func (j *journal) logger() *log.Logger { return log.New(j, "", 0) }

// controls returns the control characters in s, except for line ends where they belong.
func controls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return r
		}
		return -1
	}, s)
}

// scaled returns n, or a tenth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

// CloseWrite closes the connection for writing.
func (c *client) CloseWrite() {
	c.t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// closeTogether closes all servers of a test before it checks what any of them leaves behind.
func closeTogether(t testing.TB, all ...*instance) {
	t.Cleanup(func() {
		for _, s := range all {
			s.Close()
		}
	})
}
