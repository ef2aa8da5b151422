package load

import "testing"

func TestParseHead(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nDate: now\r\n\r\n"
	for _, c := range []struct {
		in           string
		head, length int
		ok, err      bool
	}{
		{in: ""},
		{in: "HTTP/1.1 200 OK\r\nContent-Len"},
		{in: good[:len(good)-1]},
		{in: good, head: len(good), length: 12, ok: true},
		{in: good + "Hey!", head: len(good), length: 12, ok: true},
		{in: "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n\r\n", head: 49, ok: true},
		{in: "HTTP/1.1 200 OK\r\nDate: now\r\ncontent-length:3\r\n\r\n", head: 48, length: 3, ok: true},
		{in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head: 47, length: chunked, ok: true},
		{in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\n\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\nDate: now\r\n\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\nDate: now\r\n\r\n\r\nContent-Length: 1\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", err: true},
		{in: "HTTP/1.1 200 OK\r\nContent-Length: 12345678901234567890\r\n\r\n", err: true},
		{in: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", err: true},
	} {
		head, length, ok, err := parseHead([]byte(c.in))
		if (err != nil) != c.err || !c.err && (head != c.head || length != c.length || ok != c.ok) {
			t.Errorf("parseHead(%q) = %d, %d, %v, %v, want %+v", c.in, head, length, ok, err, c)
		}
	}
}

func TestChunkedAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const body = "4\r\nHey!\r\nA\r\n0123456789\r\n0\r\n\r\n"
	for n := range len(body) + 1 {
		a := new(answer)
		a.n = copy(a.buf[:], head+body[:n])
		if done, err := a.complete(); done != (n == len(body)) || err != nil {
			t.Errorf("%q: %v, %v", body[:n], done, err)
		}
	}
	for _, wrong := range []string{body + "x", "\r\n", "4\r\nHey!!\r\n", "x\r\n", "-1\r\n", "0\r\nTrailer: x\r\n\r\n"} {
		a := new(answer)
		a.n = copy(a.buf[:], head+wrong)
		if done, err := a.complete(); done || err == nil {
			t.Errorf("%q: %v, %v, want an error", wrong, done, err)
		}
	}
}
