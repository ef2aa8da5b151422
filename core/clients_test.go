package recycling_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// otherClients are programs that must read what the server sends as [http.ReadResponse] does.
// Programs that are not installed are skipped. curl must be 7.75 or newer, Node 14, Python 3.6.
var otherClients = []struct {
	name string
	read func(t *testing.T, s *replay) []*readout
}{
	{"go", readWithGo},
	{"curl", readWithCurl},
	{"node", func(t *testing.T, s *replay) []*readout {
		return readWithScript(t, s, "read.js", "node", "-e", "require('node:http')")
	}},
	{"python3", func(t *testing.T, s *replay) []*readout {
		return readWithScript(t, s, "read.py", "python3", "-c", "import http.client")
	}},
}

// unlike is what a client reads differently from [http.ReadResponse], although the response is
// valid.
var unlike = []struct {
	client, why string
	is          func(e *exchange, got *readout) bool
}{
	{
		"curl", "it calls a reply empty if the connection ends right after status 101",
		func(e *exchange, got *readout) bool {
			return e.want.Status == 101 && got.Status == 101 && got.Error == "truncated"
		},
	},
	{
		"python3", "it takes an informational response for the final one, unless it is 100",
		func(e *exchange, got *readout) bool {
			i := slices.IndexFunc(e.want.Informational, func(status int) bool { return status != 100 })
			return i >= 0 && got.Status == e.want.Informational[i] && got.Error == ""
		},
	},
	{
		"node", "it takes an answer to CONNECT for the beginning of a tunnel, refused or not, and leaves chunks as they are",
		func(e *exchange, got *readout) bool {
			return e.method == "CONNECT" && got.Status == e.want.Status && got.Error == "" && bytes.Contains(e.raw, []byte("\r\nTransfer-Encoding: chunked\r\n"))
		},
	},
}

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

// TestClientsReadEveryResponse records all responses of the server in the behaviour suite, and has
// them read by programs that share nothing with it but the protocol.
func TestClientsReadEveryResponse(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("runs the behaviour suite once more")
	}
	all := recordSuite(t)
	damaged := damageSome(t, all)
	for _, client := range otherClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			s := newReplay(t, slices.Concat(all, damaged))
			got := client.read(t, s)
			if len(got) != len(s.all) {
				t.Fatalf("read %d responses, want %d", len(got), len(s.all))
			}
			excused := make(map[string]int)
			for i, e := range all {
				diff := e.want.differs(got[i], client.name)
				if diff == "" {
					continue
				}
				if why := excuse(client.name, e, got[i]); why != "" {
					excused[why]++
					continue
				}
				t.Errorf("%s %.500q: %s", e.method, e.raw, diff)
			}
			for why, n := range excused {
				t.Logf("%d read otherwise: %s", n, why)
			}
			for i, e := range damaged {
				if e.want.differs(got[len(all)+i], client.name) == "" {
					t.Errorf("has not noticed: %s: %q", e.damage, e.raw)
				}
			}
			t.Logf("%d responses on %d connections", len(got), s.connections())
			if s.connections() >= len(got) {
				t.Errorf("no connection was used again")
			}
		})
	}
}

// excuse returns why client may read e as got.
func excuse(client string, e *exchange, got *readout) string {
	for _, u := range unlike {
		if u.client == client && u.is(e, got) {
			return u.why
		}
	}
	return ""
}

// An exchange is a response, with the informational ones before it, and the method of its request.
type exchange struct {
	method string
	raw    []byte
	want   *readout
	framed bool   // its end is known without closing the connection
	damage string // what was done to raw so that it should not be read as want
}

// A readout is what a client read. Fields and Reason are decoded as latin1, and the fields are in
// the client's order: see inOrder.
type readout struct {
	Number        int // of the response, if the client says
	Status        int
	Version       string // "1.1"
	Reason        string
	Informational []int       // statuses; nil if the client does not say
	Header        [][2]string // pairs of name and value, repeated as often as they were sent
	Trailer       [][2]string // nil if the client does not say
	Length        int         // of the body
	SHA256        string      // of the body
	Error         string      // "" if all was read, "truncated" if the connection ended early, or another error
}

// differs returns how got, which a client read, differs from want. Incomplete bodies are not
// compared.
func (want *readout) differs(got *readout, client string) string {
	wantHeader, gotHeader := inOrder(want.Header), inOrder(got.Header)
	if client == "go" { // it removes these for Response.Close and Response.Trailer
		special := func(f [2]string) bool { return f[0] == "connection" || f[0] == "trailer" }
		wantHeader, gotHeader = slices.DeleteFunc(wantHeader, special), slices.DeleteFunc(gotHeader, special)
	}
	switch {
	case got.Error != want.Error:
		return fmt.Sprintf("error %q after status %d, want %q", got.Error, got.Status, want.Error)
	case got.Status != want.Status || got.Version != want.Version || got.Reason != want.Reason:
		return fmt.Sprintf("status line %s %d %q, want %s %d %q", got.Version, got.Status, got.Reason, want.Version, want.Status, want.Reason)
	case got.Informational != nil && !slices.Equal(got.Informational, want.Informational):
		return fmt.Sprintf("informational responses %d, want %d", got.Informational, want.Informational)
	case !slices.Equal(gotHeader, wantHeader):
		return fmt.Sprintf("header %q, want %q", gotHeader, wantHeader)
	case want.Error != "":
		return ""
	case got.Trailer != nil && !slices.Equal(inOrder(got.Trailer), inOrder(want.Trailer)):
		return fmt.Sprintf("trailer %q, want %q", got.Trailer, want.Trailer)
	case got.Length != want.Length:
		return fmt.Sprintf("body of %d bytes, want %d", got.Length, want.Length)
	case got.SHA256 != want.SHA256:
		return "another body of the same length"
	}
	return ""
}

// inOrder returns fields in a form that can be compared: names in lower case and sorted, values
// trimmed. Values of one name stay in the order in which they were sent.
func inOrder(fields [][2]string) [][2]string {
	all := make([][2]string, 0, len(fields))
	for _, f := range fields {
		all = append(all, [2]string{strings.ToLower(f[0]), strings.Trim(f[1], " \t")})
	}
	slices.SortStableFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

// latin1 decodes bytes as ISO 8859-1, as Node and Python do for headers.
func latin1(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// body sets the fields for the body.
func (r *readout) body(src io.Reader) {
	h := sha256.New()
	n, err := io.Copy(h, src)
	r.Length, r.SHA256 = int(n), hex.EncodeToString(h.Sum(nil))
	r.fail(err)
}

func (r *readout) fail(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.Error = "truncated"
	default:
		r.Error = err.Error()
	}
}

// head sets the fields for the header, line by line as it was sent.
func (r *readout) head(raw string) {
	line, rest, _ := strings.Cut(raw, "\r\n")
	r.Version = strings.TrimPrefix(line[:strings.IndexByte(line, ' ')], "HTTP/")
	_, line, _ = strings.Cut(line, " ")
	code, reason, _ := strings.Cut(line, " ")
	r.Status, _ = strconv.Atoi(code)
	r.Reason = latin1(reason)
	r.Header = fieldLines(rest)
}

func fieldLines(raw string) (fields [][2]string) {
	for line := range strings.SplitSeq(raw, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields = append(fields, [2]string{name, latin1(value)})
		}
	}
	return fields
}

// goFields is fieldLines for a header that Go has read.
func goFields(h http.Header) [][2]string {
	all := [][2]string{}
	for name, values := range h {
		for _, v := range values {
			all = append(all, [2]string{name, latin1(v)})
		}
	}
	return all
}

// splitExchanges returns the exchanges of one connection, of which the server has read in and
// written out. The error is that of the last response, if no client could be expected to read it.
func splitExchanges(in, out []byte) (all []*exchange, err error) {
	requests := bufio.NewReader(bytes.NewReader(in))
	src := bytes.NewReader(out)
	responses := bufio.NewReader(src)
	at := func() int { return len(out) - src.Len() - responses.Buffered() }
	for begin := 0; begin < len(out); begin = at() {
		e := &exchange{method: methodOfNext(requests), want: &readout{Informational: []int{}}}
		var resp *http.Response
		for {
			last := at()
			if resp, err = http.ReadResponse(responses, &http.Request{Method: e.method}); err != nil {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					return all, err
				}
				return all, nil // not even a header
			}
			if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
				e.want.head(string(out[last:at()]))
				break
			}
			e.want.Informational = append(e.want.Informational, resp.StatusCode)
		}
		e.want.body(resp.Body)
		if e.want.Error != "" && e.want.Error != "truncated" {
			return all, errors.New(e.want.Error)
		}
		e.want.Trailer = goFields(resp.Trailer)
		e.raw = out[begin:at()]
		e.framed = e.want.Error == "" && e.method != "CONNECT" && resp.StatusCode != http.StatusSwitchingProtocols &&
			(resp.ContentLength >= 0 || resp.TransferEncoding != nil || resp.Body == http.NoBody)
		all = append(all, e)
	}
	return all, nil
}

// methodOfNext reads a request and returns its method. How a response is read depends on HEAD and
// CONNECT. Methods that not every client can send count as GET, and so does anything that is not a
// request.
func methodOfNext(r *bufio.Reader) string {
	for {
		b, _ := r.Peek(2)
		if string(b) != "\r\n" {
			break
		}
		r.Discard(2) // an empty line before a request
	}
	req, err := http.ReadRequest(r)
	if err != nil {
		return http.MethodGet
	}
	io.Copy(io.Discard, req.Body)
	switch req.Method {
	case "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return req.Method
	}
	return http.MethodGet
}

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

// damageSome returns responses that a client must not read as they were sent: see exchange.damage.
func damageSome(t *testing.T, all []*exchange) (damaged []*exchange) {
	is := func(encoding string) (short *exchange) {
		for _, e := range all {
			if e.method == http.MethodGet && e.framed && e.want.Status == 200 && e.want.Version == "1.1" && e.want.Length > 1 &&
				len(e.want.Informational) == 0 && bytes.Contains(e.raw, []byte(encoding)) && bytes.Contains(e.raw, []byte("\r\n\r\n")) &&
				(short == nil || len(e.raw) < len(short.raw)) {
				short = e
			}
		}
		return short
	}
	sized, chunked := is("\r\nContent-Length: "), is("\r\nTransfer-Encoding: chunked\r\n")
	if sized == nil || chunked == nil {
		t.Error("the plainest responses are missing")
		return nil
	}
	with := func(e *exchange, name string, raw string) {
		if raw == string(e.raw) {
			t.Fatalf("%s has changed nothing in %q", name, raw)
		}
		damaged = append(damaged, &exchange{method: e.method, raw: []byte(raw), want: e.want, damage: name})
	}
	text, body, _ := strings.Cut(string(sized.raw), "\r\n\r\n")
	length := fmt.Sprintf("Content-Length: %d", sized.want.Length)
	for _, d := range []int{-1, 1} {
		with(sized, fmt.Sprintf("length wrong by %d", d), strings.Replace(text, length, fmt.Sprintf("Content-Length: %d", sized.want.Length+d), 1)+"\r\n\r\n"+body)
	}
	with(sized, "body cut", text+"\r\n\r\n"+body[1:])
	with(sized, "body changed", text+"\r\n\r\n"+string([]byte{body[0] ^ 1})+body[1:])
	with(sized, "field lost", dateField.ReplaceAllString(string(sized.raw), ""))
	with(sized, "field changed", strings.Replace(string(sized.raw), "\r\nDate: ", "\r\nDate: x", 1))
	with(sized, "status changed", strings.Replace(string(sized.raw), " 200 ", " 201 ", 1))
	with(sized, "header without end", text)

	text, body, _ = strings.Cut(string(chunked.raw), "\r\n\r\n")
	with(chunked, "last chunk missing", strings.TrimSuffix(string(chunked.raw), "0\r\n\r\n"))
	with(chunked, "chunk cut", text+"\r\n\r\n"+body[:strings.Index(body, "\r\n")+3])
	with(chunked, "chunk without size", text+"\r\n\r\nx"+body)
	with(chunked, "chunk too long", text+"\r\n\r\n1"+body)
	with(chunked, "chunk data too long", text+"\r\n\r\n"+strings.Replace(body, "\r\n", "\r\nx", 1))
	return damaged
}

// ---- replaying ----

// A replay is a server that responds to a request for /n with the nth response, byte for byte. It
// keeps the connection open if a client can find the end of the response without that.
type replay struct {
	net.Listener
	all []*exchange

	mu       sync.Mutex // guards the following
	accepted int
	conns    map[net.Conn]bool // the open ones
	ended    bool
}

func newReplay(t *testing.T, all []*exchange) *replay {
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	s := &replay{Listener: l, all: all, conns: make(map[net.Conn]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			s.conns[c] = true
			if s.ended {
				c.Close()
			}
			s.mu.Unlock()
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		s.ended = true
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

// connections returns the number of connections so far.
func (s *replay) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

func (s *replay) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		n, err := strconv.Atoi(strings.TrimPrefix(req.RequestURI, "/"))
		if err != nil || n >= len(s.all) || req.Method != s.all[n].method {
			io.WriteString(c, "HTTP/1.1 400 not a response's number, or not its method\r\nConnection: close\r\n\r\n")
			return
		}
		if _, err := c.Write(s.all[n].raw); err != nil || !s.all[n].framed {
			return
		}
	}
}

// ---- clients ----

func readWithGo(t *testing.T, s *replay) (got []*readout) {
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	for i, e := range s.all {
		got = append(got, readOneWithGo(t, tr, fmt.Sprintf("http://%v/%d", s.Addr(), i), e))
	}
	return got
}

func readOneWithGo(t *testing.T, tr *http.Transport, url string, e *exchange) *readout {
	r := &readout{Informational: []int{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			r.Informational = append(r.Informational, code)
			return nil
		},
	}), e.method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = e.damage != "" || !e.framed // the Transport logs unexpected bytes, and the replay closes
	resp, err := tr.RoundTrip(req)
	if err != nil {
		r.fail(err)
		return r
	}
	defer resp.Body.Close()
	r.Status, r.Version = resp.StatusCode, fmt.Sprintf("%d.%d", resp.ProtoMajor, resp.ProtoMinor)
	_, r.Reason, _ = strings.Cut(latin1(resp.Status), " ")
	r.Header = goFields(resp.Header)
	for _, coding := range resp.TransferEncoding { // it is not in the header
		r.Header = append(r.Header, [2]string{"Transfer-Encoding", coding})
	}
	r.body(resp.Body)
	r.Trailer = goFields(resp.Trailer)
	return r
}

// readWithCurl has curl write header and body of every response to files, and its result to its
// output.
func readWithCurl(t *testing.T, s *replay) []*readout {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	dir := t.TempDir()
	var config bytes.Buffer
	for i, e := range s.all {
		method := "request = " + e.method
		if e.method == http.MethodHead {
			method = "head"
		}
		if i > 0 {
			config.WriteString("next\n")
		}
		fmt.Fprintf(&config, "url = http://%v/%d\n%s\nhttp1.1\nsilent\nnoproxy = *\nmax-time = 10\n", s.Addr(), i, method)
		fmt.Fprintf(&config, "dump-header = %d.head\noutput = %d.body\n", i, i)
		config.WriteString(`write-out = "%{exitcode} %{http_code} %{size_download}\n"` + "\n")
	}
	out, err := output(t, dir, &config, "curl", "--disable", "--config", "-")
	var exit *exec.ExitError // of the last response
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var got []*readout
	for line := range strings.Lines(string(out)) {
		var code, status, downloaded int
		if _, err := fmt.Sscan(line, &code, &status, &downloaded); err != nil || len(got) == len(s.all) {
			t.Fatalf("curl says %q: %v", line, err)
		}
		r := &readout{Informational: []int{}, Trailer: [][2]string{}}
		name := filepath.Join(dir, strconv.Itoa(len(got)))
		r.curlHead(fileIfThere(t, name+".head"))
		body := fileIfThere(t, name+".body")
		if s.all[len(got)].method == http.MethodHead {
			body = nil // curl writes the header there
		}
		r.body(bytes.NewReader(body))
		switch {
		case code == 18 || code == 52: // partial file; empty reply
			r.Error = "truncated"
		case code != 0:
			r.Error = fmt.Sprintf("exit code %d", code)
		case status != r.Status || downloaded != r.Length:
			r.Error = fmt.Sprintf("status %d, %d bytes of body: not what it has written", status, downloaded)
		}
		got = append(got, r)
	}
	return got
}

// curlHead sets the fields from what curl takes for headers: the informational ones, that of the
// response, and the trailer.
func (r *readout) curlHead(raw []byte) {
	for part := range strings.SplitSeq(string(raw), "\r\n\r\n") {
		if !strings.HasPrefix(part, "HTTP/") {
			r.Trailer = append(r.Trailer, fieldLines(part)...)
			continue
		}
		if r.Status != 0 {
			r.Informational = append(r.Informational, r.Status)
		}
		r.head(part)
	}
}

func fileIfThere(t *testing.T, name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return b
}

// readWithScript runs a script of testdata/clients with a program, if the program can run test
// given flag.
func readWithScript(t *testing.T, s *replay, script, program, flag, test string) (got []*readout) {
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
	if _, err := output(t, "", nil, program, flag, test); err != nil {
		t.Skipf("%s does not work: %v", program, err)
	}
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var numbers bytes.Buffer
	for i, e := range s.all {
		fmt.Fprintf(&numbers, "%d %s\n", i, e.method)
	}
	out, err := output(t, filepath.Join("testdata", "clients"), &numbers, program, script, host, port)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		r := new(readout)
		if err := json.Unmarshal(line, r); err != nil {
			t.Fatalf("%s says %q: %v", program, line, err)
		}
		if r.Number != len(got) {
			t.Fatalf("%s says %d out of turn", program, r.Number)
		}
		got = append(got, r)
	}
	return got
}

// output runs a program and returns its output.
func output(t *testing.T, dir string, in io.Reader, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var trouble bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr, cmd.WaitDelay = dir, in, &trouble, patience
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w %s", program, err, &trouble)
	}
	return out, err
}
