package faults

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A proxy is a program and its configuration: see harness.StartProxy.
type proxy struct{ name, conf string }

var proxies = []proxy{{"nginx", nginxConf}, {"haproxy", haproxyConf}}

const haproxyConf = `defaults
	mode http
	timeout connect 10s
	timeout client 10s
	timeout server 10s
	http-reuse always
frontend proxy
	bind %[2]s
	default_backend origin
backend origin
	server origin %[3]s
`

const nginxConf = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream origin { server %[3]s; keepalive 4; }
	server {
		listen %[2]s;
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering off;
		}
	}
}
`

// start starts the proxy in front of p, and returns it as a process that only has an address. It
// runs until the end of the row, or until it is killed.
func (x proxy) start(t *trial, p *process) (*process, error) {
	if _, err := exec.LookPath(x.name); err != nil {
		return nil, skip("needs " + x.name)
	}
	dir, err := os.MkdirTemp("", "bench-faults-")
	if err != nil {
		return nil, err
	}
	t.later(func() { os.RemoveAll(dir) })
	started, err := harness.StartProxy(t.ctx, x.name, x.conf, dir, p.Addr())
	if err != nil {
		return nil, skip(x.name + " does not start: " + err.Error())
	}
	front := &process{Process: started}
	t.later(front.Kill)
	_, err = t.recovers(front) // its first responses may be errors
	return front, err
}

// proxied checks that each proxy and the server behind it agree on where requests end: the number
// of handled requests is the number of responses.
func proxied(t *trial) error {
	for _, x := range proxies {
		if err := t.orNoted(x.name, t.behind(x)); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	if strings.Count(t.noted, skip("").Error()) == len(proxies) {
		return skip(t.noted)
	}
	return nil
}

func (t *trial) behind(x proxy) error {
	return t.with(setup{}, func(p *process) error {
		proxy, err := x.start(t, p)
		if err != nil {
			return err
		}
		const chunked, length = "Transfer-Encoding: chunked\r\n", "Content-Length: 4\r\n"
		const hidden = "GET /count?q=hidden HTTP/1.1\r\nHost: test\r\n\r\n"
		sized := fmt.Sprintf("Content-Length: %d\r\n", len("0\r\n\r\n"+hidden))
		answered := 0
		for i, v := range []string{
			chunked + length + "\r\n0\r\n\r\n" + hidden,
			sized + chunked + "\r\n0\r\n\r\n" + hidden,
			sized + "Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n" + hidden,
			sized + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
			sized + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
			sized + "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n" + hidden,
			sized + "X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
			sized + "\r\n0\r\n\r\n" + hidden,
			"Content-Length: 0\r\n" + sized + "\r\n0\r\n\r\n" + hidden,
			"Content-Length: +4\r\n\r\n" + hidden,
			"Content-Length: 0, 4\r\n\r\n" + hidden,
			chunked + chunked + "\r\n0\r\n\r\n",
			chunked + "\r\n4;x=\"\r\n\"\r\nbody\r\n0\r\n\r\n" + hidden,
			chunked + "\r\n4\nbody\r\n0\r\n\r\n" + hidden,
			chunked + "\r\n0x4\r\nbody\r\n0\r\n\r\n" + hidden,
			chunked + "\r\n4\r\nbody\r\n0\r\nContent-Length: 9\r\n\r\n",
			"Expect: 100-continue\r\n" + sized + "\r\n0\r\n\r\n" + hidden,
		} {
			n, err := t.answers(proxy, "POST /count HTTP/1.1\r\nHost: test\r\n"+v+request(fmt.Sprintf("/count?q=next-%d", i)))
			if err != nil {
				return fmt.Errorf("%q: %w", v, err)
			}
			answered += n
			// The next client gets its own response, whichever connection to the origin the proxy
			// uses.
			c, err := t.dial(proxy)
			if err != nil {
				return err
			}
			canary := fmt.Sprintf("canary-%d", i)
			err = c.ask(request("/echo?q="+canary), canary)
			c.Close()
			if err != nil {
				return fmt.Errorf("after %q: %w", v, err)
			}
			r, err := p.report()
			if err != nil {
				return err
			}
			if handled := r.Events["counted"]; handled != answered {
				return fmt.Errorf("after %q %d requests were handled, and %d answered", v, handled, answered)
			}
		}
		proxy.Kill() // it keeps connections open
		return nil
	})
}

// answers sends text and returns the number of responses with status 200.
func (t *trial) answers(p *process, text string) (n int, err error) {
	c, err := t.dial(p)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.send(text); err != nil {
		return 0, err
	}
	// If the server waits for more input, this does not wait for the server.
	for c.SetReadDeadline(time.Now().Add(patience)); ; c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)) {
		status, _, err := c.answer(http.MethodPost)
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() && n == 0 {
				return 0, fmt.Errorf("no answer: %w", err)
			}
			return n, nil // the end of the connection, or no further response
		}
		if status == http.StatusOK {
			n++
		}
	}
}
