package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rows with malformed or unusual requests.

// exchange sends text while it reads the status of the first response, zero if there is none. Then
// it closes the connection.
func (t *trial) exchange(p *process, text string) (int, error) {
	c, err := t.dial(p)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() { c.send(text); close(sent) }() // the server need not read what it refuses
	status, _, err := c.answer("GET")
	var ne net.Error
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = nil
	case errors.As(err, &ne) && ne.Timeout():
		err = fmt.Errorf("no answer within %v", patience)
	}
	c.Close()
	<-sent
	return status, err
}

// A vector is a request and the acceptable statuses of the response; zero means that the server
// closes the connection without a response.
type vector struct {
	name, text string
	want       []int
}

func (t *trial) vectors(p *process, all []vector) error {
	var errs []string
	for _, v := range all {
		status, err := t.exchange(p, v.text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Sprintf("%s: %v", v.name, err))
		case !slices.Contains(v.want, status):
			errs = append(errs, fmt.Sprintf("%s is answered with %d, want %v", v.name, status, v.want))
		}
	}
	if errs != nil {
		return errors.New(strings.Join(errs, "; "))
	}
	return nil
}

func hugeHeaders(t *trial) error {
	const n = 3 << 19
	large := strings.Repeat("x", n)
	refused := []int{431, 414, 400}
	// Newlines before a request are not part of it, and may continue until ReadHeaderTimeout
	// expires.
	return t.with(setup{ReadHeader: 3 * headerTime}, func(p *process) error {
		err := t.vectors(p, []vector{
			{"a value of 1.5 MB", "GET / HTTP/1.1\r\nHost: test\r\nX: " + large + "\r\n\r\n", refused},
			{"a name of 1.5 MB", "GET / HTTP/1.1\r\nHost: test\r\n" + large + ": 1\r\n\r\n", refused},
			{"a target of 1.5 MB", "GET /" + large + " HTTP/1.1\r\nHost: test\r\n\r\n", refused},
			{"300,000 fields", "GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat("A: b\r\n", 300000) + "\r\n", refused},
			{"no end of the line", "GET / HTTP/1.1\r\nHost: test\r\n" + large + large, refused},
			{"lines of a colon", "GET / HTTP/1.1\r\nHost: test\r\n" + strings.Repeat(":\r\n", n/3), refused},
			{"a million newlines", strings.Repeat("\n", 1000000), append([]int{0}, refused...)},
		})
		if err != nil {
			return err
		}
		r, err := p.report()
		if err == nil && r.Heap > p.start.Heap+64<<20 {
			err = fmt.Errorf("%d MB of heap", r.Heap>>20)
		}
		return err
	})
}

func chunks(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const head = " HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
		n := t.few(20000, 1000000)
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.ask("POST /read"+head+strings.Repeat("1\r\nx\r\n", n)+"0\r\n\r\n", fmt.Sprint(n)); err != nil {
			return fmt.Errorf("chunks of a byte: %w", err)
		}
		long := strings.Repeat("1;x="+strings.Repeat("y", 2000)+"\r\nx\r\n", 5000) + "0\r\n\r\n"
		if err := t.vectors(p, []vector{{"extensions of 2 kB", "POST /read" + head + long, []int{400}}}); err != nil {
			return err
		}
		// The server must not read the rest of a body that the handler does not read.
		d, err := t.dial(p)
		if err != nil {
			return err
		}
		defer d.Close()
		sent := make(chan error, 1)
		go func() {
			err := d.send("POST /unread" + head)
			for range 10 {
				if err == nil {
					err = d.send(long[:len(long)-5])
				}
			}
			sent <- err
		}()
		status, body, err := d.answer("POST")
		if err != nil || status != 200 || body != "unread" {
			return fmt.Errorf("extensions that no handler reads: %d %q, %v", status, body, err)
		}
		d.end()
		if err := <-sent; err == nil {
			return errors.New("100 MB of extensions that no handler reads were taken")
		}
		return nil
	})
}

func smuggling(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const after = "GET /count HTTP/1.1\r\nHost: test\r\n\r\n"
		head := func(fields ...string) string {
			return "POST /read HTTP/1.1\r\nHost: test\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
		}
		const chunked, length = "Transfer-Encoding: chunked", "Content-Length: 5"
		const none = "0\r\n\r\n"
		bad := []int{400, 501, 0}
		for _, v := range []vector{
			{"TE and CL", head(chunked, length) + none, append([]int{200}, bad...)},
			{"CL and TE", head(length, chunked) + none, append([]int{200}, bad...)},
			{"two CL", head(length, "Content-Length: 6") + none, bad},
			{"CL list", head("Content-Length: 5, 6") + none, bad},
			{"CL with +", head("Content-Length: +5") + none, bad},
			{"CL negative", head("Content-Length: -5") + none, bad},
			{"CL empty", head("Content-Length:") + none, bad},
			{"CL hexadecimal", head("Content-Length: 0x5") + none, bad},
			{"CL too large", head("Content-Length: 18446744073709551621") + none, bad},
			{"TE with a tab in it", head("Transfer-Encoding: chun\tked") + none, bad},
			{"TE with VT", head("Transfer-Encoding: \vchunked") + none, bad},
			{"TE twice", head(chunked, chunked) + none, bad},
			{"TE identity", head("Transfer-Encoding: identity") + none, bad},
			{"TE not last", head("Transfer-Encoding: chunked, gzip") + none, bad},
			{"space before the colon", head("Transfer-Encoding : chunked") + none, bad},
			{"chunk size with 0x", head(chunked) + "0x5\r\nhello\r\n" + none, bad},
			{"chunk size empty", head(chunked) + "\r\nhello\r\n" + none, bad},
			{"chunk size and bare LF", head(chunked) + "5\nhello\r\n" + none, bad},
			{"chunk without its CRLF", head(chunked) + "5\r\nhelloXX" + none, bad},
			{"TE in HTTP/1.0", "POST /read HTTP/1.0\r\nConnection: keep-alive\r\n" + chunked + "\r\n\r\n" + none, append([]int{200}, bad...)},
		} {
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			if err := c.send(v.text + after); err == nil {
				var status int
				status, _, err = c.answer("POST")
				if err == nil && !slices.Contains(v.want, status) {
					return fmt.Errorf("%s is answered with %d", v.name, status)
				}
			}
			c.closeWrite()
			_, err = c.end()
			c.Close()
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			r, err := p.report()
			if err != nil {
				return err
			}
			if r.Events["counted"] > 0 {
				return fmt.Errorf("%s: what follows is served as a request", v.name)
			}
		}
		return nil
	})
}

func badBytes(t *trial) error {
	head := func(field string) string { return "GET / HTTP/1.1\r\nHost: test\r\n" + field + "\r\n\r\n" }
	bad := []int{400}
	either := []int{200, 400} // RFC 9112 allows both
	return t.with(setup{}, func(p *process) error {
		return t.vectors(p, []vector{
			{"lines of bare LF", "GET / HTTP/1.1\nHost: test\n\n", either},
			{"bare CR in a value", head("X: a\rb"), bad},
			{"bare CR for a line", "GET / HTTP/1.1\rHost: test\r\n\r\n", bad},
			{"NUL in a value", head("X: a\x00b"), bad},
			{"NUL in a name", head("X\x00: a"), bad},
			{"VT in a name", head("X\v: a"), bad},
			{"VT in a value", head("X: a\vb"), either},
			{"DEL in a value", head("X: a\x7fb"), either},
			{"high bytes in a value", head("X: \xff\xfe"), either},
			{"high bytes in a name", head("X\xff: a"), bad},
			{"obs-fold", head("X: a\r\n b"), either},
			{"fold of the first line", "GET / HTTP/1.1\r\n X: a\r\nHost: test\r\n\r\n", bad},
			{"space before the colon", head("X : a"), bad},
			{"no colon", head("X"), bad},
			{"empty name", head(": a"), bad},
			{"two spaces in the line", "GET  / HTTP/1.1\r\nHost: test\r\n\r\n", bad},
			{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: test\r\n\r\n", bad},
			{"bad version", "GET / HTTP/1.x\r\nHost: test\r\n\r\n", []int{400, 505}},
			{"lower case version", "GET / http/1.1\r\nHost: test\r\n\r\n", []int{400, 505}},
			{"HTTP/0.9", "GET /\r\n\r\n", []int{400, 505}},
			{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: test\r\n\r\n", []int{400, 505}},
			{"bad method", "G(T / HTTP/1.1\r\nHost: test\r\n\r\n", bad},
		})
	})
}

func targets(t *trial) error {
	host := func(value string) string { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n" }
	bad := []int{400}
	// A mux redirects some of these, with 301 before Go 1.26.
	either := []int{200, 301, 307, 400, 404}
	return t.with(setup{}, func(p *process) error {
		return t.vectors(p, []vector{
			{"absolute-form", "GET http://other/ HTTP/1.1\r\nHost: test\r\n\r\n", []int{200}},
			{"no Host", "GET / HTTP/1.1\r\n\r\n", bad},
			{"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", []int{200}},
			{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", bad},
			{"empty Host", host(""), either},
			{"Host with user", host("user@test"), bad},
			{"Host with path", host("test/path"), bad},
			{"Host with space", host("te st"), bad},
			{"Host whose port is no number", host("test:port"), either},
			{"authority-form of GET", "GET test:80 HTTP/1.1\r\nHost: test\r\n\r\n", either},
			{"asterisk-form of GET", "GET * HTTP/1.1\r\nHost: test\r\n\r\n", either},
			{"asterisk-form of OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", []int{200}},
			{"CONNECT without port", "CONNECT test: HTTP/1.1\r\nHost: test\r\n\r\n", either},
			{"bad escape", "GET /%zz HTTP/1.1\r\nHost: test\r\n\r\n", bad},
			{"relative target", "GET path HTTP/1.1\r\nHost: test\r\n\r\n", bad},
		})
	})
}

func expectations(t *trial) error {
	const expect = "Expect: 100-continue\r\n"
	post := func(path, fields string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n"
	}
	return t.with(setup{Body: headerTime}, func(p *process) error {
		// continues counts the 100 responses before the final one.
		continues := func(text, rest string) (n, status int, body string, err error) {
			c, err := t.dial(p)
			if err != nil {
				return 0, 0, "", err
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			if err := c.send(text); err != nil {
				return 0, 0, "", err
			}
			for {
				res, err := http.ReadResponse(c.r, nil)
				if err != nil {
					return n, 0, "", err
				}
				if res.StatusCode == http.StatusContinue {
					if n++; n == 1 {
						c.send(rest)
					}
					continue
				}
				b, err := io.ReadAll(res.Body)
				return n, res.StatusCode, string(b), err
			}
		}
		for _, v := range []struct {
			name, text, rest string
			continues        int
			status           int
		}{
			{"a client that waits", post("/read", expect+"Content-Length: 4\r\n"), "body", 1, 200},
			{"a handler that does not read", post("/unread", expect+"Content-Length: 4\r\n"), "body", 0, 200},
			{"a length of 0", post("/read", expect+"Content-Length: 0\r\n"), "", 0, 200},
			{"another expectation", post("/read", "Expect: foo\r\nContent-Length: 4\r\n") + "body", "", 0, 417},
			{"HTTP/1.0", "POST /read HTTP/1.0\r\n" + expect + "Content-Length: 4\r\n\r\nbody", "", 0, 200},
		} {
			n, status, _, err := continues(v.text, v.rest)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if n != v.continues || status != v.status {
				return fmt.Errorf("%s: %d times 100, then %d", v.name, n, status)
			}
		}
		n, status, body, err := continues(post("/read", expect+"Content-Length: 4\r\n")+"body", "")
		if err != nil || n > 1 || status != 200 || body != "4" {
			return fmt.Errorf("a client that does not wait: %d times 100, then %d %q, %v", n, status, body, err)
		}
		// The server must time out if a body never comes.
		before, err := p.report()
		if err != nil {
			return err
		}
		const never = 10
		all, err := t.dials(p, never)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := c.send(post("/read", expect+"Content-Length: 4\r\n")); err != nil {
				return err
			}
		}
		time.Sleep(3 * headerTime)
		r, err := p.report()
		if err != nil {
			return err
		}
		if seen := r.Events["read timeout"] - before.Events["read timeout"]; seen < never {
			for _, c := range all {
				c.Close()
			}
			return fmt.Errorf("without ReadTimeout, %d of %d bodies that never come are waited for without end", never-seen, never)
		}
		return t.ends(all)
	})
}

func preface(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + request("/count")); err != nil {
			return err
		}
		c.closeWrite()
		if _, err := c.end(); err != nil {
			return err
		}
		r, err := p.report()
		if err == nil && r.Events["counted"] > 0 {
			err = errors.New("what follows the preface is served as a request")
		}
		return err
	})
}
