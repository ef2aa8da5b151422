package load

import (
	"slices"
	"strings"
	"testing"
)

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

func TestAnswerMayArriveInAnyPieces(t *testing.T) {
	for text, length := range map[string]int64{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                                                                0,
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHey!":                                                            4,
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000):                                 5000,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                                              0,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nHey!\r\nA\r\n01234\r\n678\r\n0\r\n\r\n":            14,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n" + strings.Repeat("\n", 3000) + "\r\n0\r\n\r\n": 3000,
	} {
		a := new(answer)
		for _, size := range []int{1, 2, 3, 7, 50, 1000, len(text) - 1, len(text)} {
			a.reset()
			pieces := slices.Collect(slices.Chunk([]byte(text), size))
			for i, piece := range pieces {
				if done, err := a.take(slices.Clone(piece)); done != (i == len(pieces)-1) || err != nil {
					t.Fatalf("%.60q in pieces of %d: %v, %v at %d of %d", text, size, done, err, i, len(pieces))
				}
			}
			if a.body != length {
				t.Errorf("%.60q in pieces of %d: the body has %d bytes, want %d", text, size, a.body, length)
			}
		}
	}
}

func TestWrongAnswer(t *testing.T) {
	const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, wrong := range []string{
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHey!!",
		"HTTP/1.1 200 OK\r\nLong: " + strings.Repeat("x", longestHeader),
		chunks + "4\r\nHey!\r\n0\r\n\r\nx", chunks + "\r\n", chunks + "4\r\nHey!!\r\n", chunks + "x\r\n", chunks + "-1\r\n",
		chunks + "4\nHey!\r\n", chunks + "100000000\r\n", chunks + "0\r\nTrailer: x\r\n\r\n", chunks + strings.Repeat("0", 100),
	} {
		for _, size := range []int{1, 20, len(wrong)} {
			a := new(answer)
			var first error
			for piece := range slices.Chunk([]byte(wrong), size) {
				if _, first = a.take(piece); first != nil {
					break
				}
			}
			if first == nil {
				t.Errorf("%.80q in pieces of %d is no error", wrong, size)
			}
		}
	}
}
