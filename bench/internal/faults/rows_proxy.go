package faults

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// nginxConf is that of a proxy: a directory, the origin's address, and its own.
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
	upstream origin { server %[2]s; keepalive 4; }
	server {
		listen %[3]s;
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering off;
		}
	}
}
`

// proxy starts an nginx before p, and returns it as if it were one of our processes: there is only its address. It ends
// with the row, or when the returned function is called.
func (t *trial) proxy(p *process) (proxy *process, stop func(), err error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, nil, skip("needs nginx")
	}
	dir, err := os.MkdirTemp("", "bench-faults-")
	if err != nil {
		return nil, nil, err
	}
	t.later(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	proxy = &process{addr: l.Addr().String()}
	l.Close() // the port is most likely still free in a moment
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, p.addr, proxy.addr), 0o666); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(t.ctx, program, "-p", dir, "-c", file)
	cmd.Stderr = &proxy.log
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() { cmd.Process.Kill(); <-ended }
	t.later(stop)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := t.get(proxy, "/")
		if err == nil {
			return proxy, stop, nil
		}
		select {
		case <-ended:
			return nil, nil, skip("nginx does not start: " + proxy.log.last())
		default:
		}
		if time.Now().After(deadline) {
			return nil, nil, err
		}
	}
}

// proxied has nginx and the server behind it agree on where requests end: as many are handled as answered.
func proxied(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		proxy, stop, err := t.proxy(p)
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
			// Whoever comes next, on whatever connection there is to the origin, gets its own answer.
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
		stop() // it keeps connections
		return nil
	})
}

// answers sends text and returns how many answers are 200.
func (t *trial) answers(p *process, text string) (n int, err error) {
	c, err := t.dial(p)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.send(text); err != nil {
		return 0, err
	}
	// A server that waits for more is not waited for.
	for c.SetReadDeadline(time.Now().Add(patience)); ; c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)) {
		status, _, err := c.answer(http.MethodPost)
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() && n == 0 {
				return 0, fmt.Errorf("no answer: %w", err)
			}
			return n, nil // the end, or nothing more
		}
		if status == http.StatusOK {
			n++
		}
	}
}
