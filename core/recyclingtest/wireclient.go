package recyclingtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// A plain is a client's connection for use on goroutines other than the test's.
type plain struct {
	net.Conn
	r *bufio.Reader
}

// connect opens a connection to s, which the caller must close.
func (s *server) connect() (*plain, error) {
	c, err := net.Dial(s.Addr.Network(), s.Addr.String())
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(s.t.patience()))
	return &plain{c, bufio.NewReader(c)}, nil
}

// roundTrip sends one request and returns the body of its response.
func (c *plain) roundTrip(raw string) (string, error) {
	sent := make(chan error, 1)
	go func() { // the response may begin before the request is complete
		_, err := io.WriteString(c, raw)
		sent <- err
	}()
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = <-sent
	}
	return string(body), err
}

// A wire is a client that works with the raw bytes of its connection. Its methods fail the test if
// the connection fails.
type wire struct {
	*plain
	t *test
}

// dial opens a connection to s, which is closed at the end of the test.
func (s *server) dial(t *test) *wire {
	t.Helper()
	c, err := s.connect()
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{c, t}
}

// send writes all of raw. The read deadline starts anew.
func (c *wire) send(raw string) {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(c.t.patience()))
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatalf("send %.40q: %v", raw, err)
	}
}

// sendBeside writes raw on a goroutine. The server may close the connection before it has read all
// of it.
func (c *wire) sendBeside(raw string, more ...string) {
	go func() {
		io.WriteString(c, raw)
		for _, s := range more {
			if _, err := io.WriteString(c, s); err != nil {
				return
			}
		}
	}()
}

// halfClose closes the connection for writing.
func (c *wire) halfClose() {
	c.t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatalf("half-close: %v", err)
	}
}

// reset resets the connection, if the network supports that.
func (c *wire) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// An answer is a complete response.
type answer struct {
	*http.Response
	text string // the body
	err  error  // the error of reading the body
}

// answer reads the next response, to a request with the given method.
func (c *wire) answer(method string) *answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	return &answer{resp, string(body), err}
}

// wants reads the next response, and fails the test unless it is complete and has this status and
// body.
func (c *wire) wants(status int, body string) *answer {
	c.t.Helper()
	a := c.answer("GET")
	if a.StatusCode != status || a.text != body || a.err != nil {
		c.t.Fatalf("response is %d %.100q, %v; want %d %.100q", a.StatusCode, a.text, a.err, status, body)
	}
	return a
}

// exchange sends one request and reads its response.
func (c *wire) exchange(raw string) *answer {
	c.t.Helper()
	c.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	return c.answer(method)
}

// bytes reads as many bytes as want has, and compares them.
func (c *wire) bytes(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	if string(got[:n]) != want {
		c.t.Fatalf("received %q, %v; want %q", got[:n], err, want)
	}
}

// head reads up to the end of a header.
func (c *wire) head() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			c.t.Fatalf("in a header: %q, %v", b.String(), err)
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

// rest reads until the server closes the connection.
func (c *wire) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil && !isReset(err) {
		c.t.Fatalf("the connection has not ended after %.200q: %v", b, err)
	}
	return string(b)
}

// ends fails the test unless the server closes the connection and sends nothing more.
func (c *wire) ends() {
	c.t.Helper()
	if s := c.rest(); s != "" {
		c.t.Fatalf("received %.200q, want the end of the connection", s)
	}
}

// goesOn fails the test unless the connection still serves requests.
func (c *wire) goesOn() {
	c.t.Helper()
	if a := c.exchange(get("/goes-on")); a.err != nil {
		c.t.Fatalf("next response on the connection: %v", a.err)
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// get returns a GET request with additional header lines.
func get(target string, header ...string) string {
	return request("GET", target, header...)
}

// request returns a request without a body.
func request(method, target string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example.test\r\n", method, target)
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	return b.String() + "\r\n"
}

// post returns a POST request with a body of fixed length.
func post(target, body string, header ...string) string {
	header = append(header, fmt.Sprintf("Content-Length: %d", len(body)))
	return request("POST", target, header...) + body
}

// chunked returns a POST request with the given chunks.
func chunked(target string, chunks ...string) string {
	return request("POST", target, "Transfer-Encoding: chunked") + inChunks(chunks...) + "0\r\n\r\n"
}

// inChunks returns the chunks without the last one.
func inChunks(chunks ...string) string {
	var b strings.Builder
	for _, chunk := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	return b.String()
}

// echoTarget responds with the request's target.
func echoTarget(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, r.RequestURI)
}

// echoBody responds with the request's target and body, and the error of reading it.
func echoBody(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %v", r.RequestURI, body, err)
}
