package recycling_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// goRefuses are the errors of responses that [http.ReadResponse] refuses. Handlers of the suite
// cause them with invalid header fields, and net/http sends the same.
var goRefuses = []string{
	`malformed MIME header line: "X-A: a\x00b"`,
	`invalid empty Content-Length`,
	`too many transfer encodings: ["gzip" "chunked"]`,
	`bad trailer key "Content-Length"`,
}

// ofAKind is how many responses are read of those whose headers differ only in digits. Without that
// limit, nine out of ten would come from the behaviours that put the server under load.
const ofAKind = 64

// ---- recording ----

// A recorder collects the different exchanges of all connections.
type recorder struct {
	mu      sync.Mutex // guards the following
	all     map[[32]byte]*exchange
	count   int            // number of all exchanges, including similar ones
	refused map[string]int // number of exchanges that ReadResponse refuses, by the error
}

// recordSuite runs the behaviour suite and returns the different exchanges in it.
func recordSuite(t *testing.T) []*exchange {
	r := &recorder{all: make(map[[32]byte]*exchange), refused: make(map[string]int)}
	recorded := target("recorded", recycling.Recycling, r.listen, map[string]string{
		"hijackedTCPConnectionIsATCPConn": "a connection that is recorded is no *net.TCPConn",
		"hooksAndHandlerSeeOneConnection": "a connection that is recorded is no *net.TCPConn",

		"copyBeyondTheContentLengthIsReported": "a connection that is recorded is no io.ReaderFrom",
		"copyFromASlowSourceArrivesAtOnce":     "a connection that is recorded is no io.ReaderFrom",
		"copyLeavesAFileToTheKernel":           "a connection that is recorded is no io.ReaderFrom",
	})
	start := recorded.Start
	recorded.Start = func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
		state := srv.ConnState
		srv.ConnState = func(c net.Conn, to http.ConnState) {
			if to == http.StateHijacked {
				c.(*recordedConn).finish(true)
			}
			if state != nil {
				state(c, to)
			}
		}
		return start(t, srv)
	}
	recyclingtest.Run(t, recorded)
	r.mu.Lock()
	defer r.mu.Unlock()
	for err, n := range r.refused {
		if !slices.ContainsFunc(goRefuses, func(s string) bool { return strings.Contains(err, s) }) {
			t.Errorf("%d responses that net/http refuses: %s", n, err)
		}
	}
	all := r.sample()
	kinds := map[string]int{}
	for _, e := range all {
		switch {
		case e.want.Error != "":
			kinds["truncated"]++
		case !e.framed:
			kinds["until the end of the connection"]++
		default:
			kinds["framed"]++
		}
	}
	t.Logf("%d responses, %d different, %d to be read: %v; refused %v", r.count, len(r.all), len(all), kinds, r.refused)
	if len(all) < 500 || kinds["truncated"] < 10 || kinds["until the end of the connection"] < 10 {
		t.Fatal("too few to be those of the behaviour suite")
	}
	if kinds["truncated"] > len(all)/10 { // handlers that panic, clients that leave
		t.Error("too many are truncated")
	}
	return all
}

var (
	dateField = regexp.MustCompile(`Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n`)
	digits    = regexp.MustCompile(`[0-9]+`)
)

// sample returns ofAKind exchanges of each kind, of all lengths from the shortest to the longest.
func (r *recorder) sample() (all []*exchange) {
	kinds := make(map[string][]*exchange)
	for _, e := range r.all {
		w := e.want
		kind := fmt.Sprint(e.method, w.Error, w.Informational, w.Version, w.Status, w.Reason, digits.ReplaceAllString(fmt.Sprint(w.Header), "0"))
		kinds[kind] = append(kinds[kind], e)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		of := kinds[kind]
		slices.SortFunc(of, func(a, b *exchange) int {
			if n := len(a.raw) - len(b.raw); n != 0 {
				return n
			}
			return bytes.Compare(a.raw, b.raw)
		})
		n := min(len(of), ofAKind)
		for i := range n {
			all = append(all, of[i*(len(of)-1)/max(n-1, 1)])
		}
	}
	return all
}

func (r *recorder) listen() (net.Listener, error) {
	l, err := listenNet()
	return recordedListener{l, r}, err
}

func (r *recorder) add(e *exchange) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", e.method, e.want.Error)
	h.Write(dateField.ReplaceAll(e.raw, []byte("Date: D\r\n")))
	key := [32]byte(h.Sum(nil))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.all[key] == nil {
		r.all[key] = e
	}
}

type recordedListener struct {
	net.Listener
	recorder *recorder
}

func (l recordedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: c, recorder: l.recorder}, nil
}

// A recordedConn is a connection of the server that is recorded.
type recordedConn struct {
	net.Conn
	recorder *recorder

	mu       sync.Mutex // guards the following
	in, out  []byte     // what was read, and written
	finished bool       // recording has ended
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.record(&c.in, p[:n])
	return n, err
}

func (c *recordedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.record(&c.out, p[:n])
	return n, err
}

func (c *recordedConn) record(to *[]byte, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.finished {
		*to = append(*to, p...)
	}
}

func (c *recordedConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *recordedConn) Close() error {
	c.finish(false)
	return c.Conn.Close()
}

// finish passes the recording to the recorder. The bytes on a hijacked connection are not the
// server's, not even the rest of a response that has begun.
func (c *recordedConn) finish(hijacked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return
	}
	c.finished = true
	all, err := splitExchanges(c.in, c.out)
	c.in, c.out = nil, nil
	if err != nil {
		c.recorder.mu.Lock()
		c.recorder.refused[err.Error()]++
		c.recorder.mu.Unlock()
	}
	for _, e := range all {
		if hijacked && e.want.Error != "" {
			continue
		}
		c.recorder.add(e)
	}
}
