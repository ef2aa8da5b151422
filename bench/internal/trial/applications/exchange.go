package applications

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// An answer is a response as it was on the wire.
type answer struct {
	// Header has the status line and the header lines, in order, of each response to the request:
	// of informational ones, and of the last one.
	Header   string
	Body     string // without the framing of chunks, and decompressed
	Trailer  string
	Messages []string // of a WebSocket
	Closes   bool     // the server closes the connection after it
	Err      string   // why it is not complete; empty if it is
}

// exchangeLimit is how long a response may take.
const exchangeLimit = 20 * time.Second

// A client sends requests over one connection, and opens another if the server has closed it. The
// requests are written, and the responses read, by hand, because net/http's client hides what it
// considers to be the connection's own affair.
type client struct {
	addr string
	tls  bool
	conn net.Conn // nil if there is none
	r    *bufio.Reader
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) open() error {
	if c.conn != nil {
		return nil
	}
	conn, err := dial(c.addr, c.tls, exchangeLimit)
	if err != nil {
		return err
	}
	c.conn, c.r = conn, bufio.NewReaderSize(conn, longestHeader)
	return nil
}

// dial opens a connection for HTTP/1.1, over TLS if secure is true, within limit.
func dial(addr string, secure bool, limit time.Duration) (net.Conn, error) {
	d := &net.Dialer{Timeout: limit}
	if !secure {
		return d.Dial("tcp", addr)
	}
	config := insecure()
	config.NextProtos = []string{"http/1.1"}
	return tls.DialWithDialer(d, "tcp", addr, config)
}

// do sends a request whose variables are expanded, and receives the response.
func (c *client) do(r Request) answer {
	a, err := c.exchange(r)
	if err != nil {
		a.Err = err.Error()
	}
	if err != nil || a.Closes {
		c.close()
	}
	return a
}

func (c *client) exchange(r Request) (a answer, err error) {
	if err := c.open(); err != nil {
		return a, err
	}
	c.conn.SetDeadline(time.Now().Add(exchangeLimit))
	if _, err := c.conn.Write(r.wire(c.addr)); err != nil {
		return a, err
	}
	for {
		header, err := peekHeader(c.r)
		a.Header += header
		if err != nil {
			return a, err
		}
		resp, err := http.ReadResponse(c.r, &http.Request{Method: r.method()})
		if err != nil {
			return a, err
		}
		if resp.StatusCode >= 200 {
			return a, a.readBody(resp)
		}
	}
}

// longestHeader is the size of the buffer for reading, so that a header can be looked at as a
// whole.
const longestHeader = 256 << 10

// peekHeader returns the next header, with the empty line that ends it, and leaves it in r.
func peekHeader(r *bufio.Reader) (string, error) {
	for {
		b, _ := r.Peek(r.Buffered())
		if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
			return string(b[:i+4]), nil
		}
		_, err := r.Peek(len(b) + 1)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			b, _ = r.Peek(r.Buffered())
			return string(b), err
		}
	}
}

// headerOf returns the header of a response that net/http's client has read, sorted.
func headerOf(resp *http.Response) string {
	var b strings.Builder
	b.WriteString(resp.Proto + " " + resp.Status + "\r\n")
	resp.Header.Write(&b) // to memory: no error
	return b.String()
}

func (a *answer) readBody(resp *http.Response) error {
	defer resp.Body.Close()
	a.Closes = resp.Close
	body, err := io.ReadAll(resp.Body)
	a.Body = string(body)
	if err != nil {
		return err
	}
	var trailer bytes.Buffer
	resp.Trailer.Write(&trailer) // to memory: no error
	a.Trailer = trailer.String()
	return a.decompress(resp.Header.Get("Content-Encoding"))
}

// decompress replaces the body, which a mask could not cover otherwise. Other codings than gzip are
// compared as they are.
func (a *answer) decompress(coding string) error {
	if coding != "gzip" || a.Body == "" {
		return nil
	}
	z, err := gzip.NewReader(strings.NewReader(a.Body))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(z)
	a.Body = string(text)
	return err
}

// wire returns the request in HTTP/1.1.
func (r Request) wire(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method(), r.Path, host)
	for _, line := range r.Header {
		b.WriteString(line + "\r\n")
	}
	switch {
	case r.Chunks:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for text := r.Body; text != ""; {
			n := min(len(text), 1000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, text[:n])
			text = text[n:]
		}
		b.WriteString("0\r\n\r\n")
	case r.Body != "" || r.method() == "POST" || r.method() == "PUT" || r.method() == "PATCH":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}
