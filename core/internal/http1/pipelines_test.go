package http1

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// FuzzPipelines is FuzzServe with inputs that are mostly valid requests, with numbers at the limits
// of integer types. The bytes are choices in a grammar: see pipeline.
func FuzzPipelines(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		f.Add(choices(random), []byte{6, 0, 40})
	}
	f.Fuzz(func(t *testing.T, chosen, cuts []byte) {
		if len(chosen) < 512 {
			compareServers(t, []byte(pipeline(chosen)), cuts)
		}
	})
}

var (
	pipelines = flag.Int("pipelines", 2000, "how many `pipelines` TestRandomPipelines serves")
	seed      = flag.Uint64("seed", 0, "of TestRandomPipelines; 0: another for each run")
)

// TestRandomPipelines does the same in one process, with any number of inputs, and checks that no
// goroutines or connections are left:
//
//	go test -run RandomPipelines -timeout 1h ./core/internal/http1 -pipelines 1000000
func TestRandomPipelines(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	before := runtime.NumGoroutine()
	random := rand.New(rand.NewPCG(*seed, 0))
	for i := range *pipelines {
		cuts := make([]byte, random.IntN(4))
		for i := range cuts {
			cuts[i] = byte(random.Uint32())
		}
		compareServers(t, []byte(pipeline(choices(random))), cuts)
		if t.Failed() {
			t.Fatalf("that was pipeline %d of -seed %d", i, *seed)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); openConns.Load() > 0 || runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("after -seed %d there are %d connections, and goroutines:\n%s", *seed, openConns.Load(), buf[:runtime.Stack(buf, true)])
		}
	}
}

// openConns counts connections that are not closed yet, on both sides.
var openConns atomic.Int64

// choices returns bytes for pipeline.
func choices(random *rand.Rand) []byte {
	b := make([]byte, 8+random.IntN(120))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// A chooser makes choices according to its bytes, and makes the first choice when they are used up.
type chooser struct{ bytes []byte }

func (c *chooser) upTo(n int) int {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return int(b) % n
}

// one reports whether an event with probability 1/n occurs.
func (c *chooser) one(n int) bool { return c.upTo(n) == n-1 }

func (c *chooser) of(s ...string) string { return s[c.upTo(len(s))] }

// decimal returns a number that is near the limit of some range, or small.
func (c *chooser) decimal() string {
	return c.of("0", "1", "2", "5", "9", "10", "4095", "4096", "4097", "65535", "65536", "262143", "262144", "262145",
		"2147483646", "2147483647", "2147483648", "2147483649", "4294967294", "4294967295", "4294967296", "4294967297",
		"9223372036854775806", "9223372036854775807", "9223372036854775808", "9223372036854775809",
		"18446744073709551614", "18446744073709551615", "18446744073709551616", "18446744073709551617", "99999999999999999999999",
		"-1", "-0", "+1", "00000000000000000000000000005", "0x10", "1e3", "1_0", "5.0", "-9223372036854775808", "")
}

// hex is decimal in hexadecimal digits.
func (c *chooser) hex() string {
	switch c.upTo(4) {
	case 0:
		var b strings.Builder
		for range 16 {
			b.WriteByte("0123456789abcdefABCDEF"[c.upTo(22)])
		}
		return b.String()
	case 1:
		return strings.Repeat(c.of("0", "f", "7", "8"), c.upTo(19)) + c.of("0", "1", "5", "e", "f", "F")
	}
	return c.of("5", "1", "0", "2", "a", "F", "1000", "ffff", "10000", "7ffffffe", "7fffffff", "80000000", "80000001", "fffffffe", "ffffffff", "100000000", "100000001",
		"3fffffffffffffff", "4000000000000000", "7ffffffffffffffe", "7fffffffffffffff", "8000000000000000", "8000000000000001",
		"fffffffffffffffa", "fffffffffffffffb", "fffffffffffffffe", "ffffffffffffffff", "10000000000000000", "10000000000000005", "-1", "0x5", "")
}

// pipeline returns the input of a connection.
func pipeline(chosen []byte) string {
	c := &chooser{chosen}
	var b strings.Builder
	for range 1 + c.upTo(3) {
		c.request(&b)
	}
	switch c.upTo(8) {
	case 1:
		return b.String()[:b.Len()-c.upTo(min(b.Len(), 256))]
	case 2:
		return b.String()
	}
	return b.String() + next
}

func (c *chooser) request(b *strings.Builder) {
	method := c.of("POST", "POST", "GET", "PUT", "HEAD", "DELETE", "OPTIONS", "FOO", "CONNECT")
	target := c.of(pipelineModes...)
	switch {
	case method == "CONNECT":
		target = "a:" + c.decimal()
	case c.one(16):
		target = "http://a:" + c.decimal() + target
	}
	version := "HTTP/1.1"
	switch c.upTo(12) {
	case 1, 2:
		version = "HTTP/1.0"
	case 3:
		version = c.of("HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "HTTP/"+c.decimal()+".1", "HTTP/1."+c.decimal())
	}
	fmt.Fprintf(b, "%s %s %s\r\nHost: %s\r\n", method, target, version, c.of("a", "a", "a", "a:80", "a:"+c.decimal(), "[::1]:"+c.decimal(), "1."+c.decimal()))
	for range c.upTo(4) {
		b.WriteString(c.field())
	}
	switch c.upTo(8) {
	case 0, 1, 2:
		c.chunkedBody(b)
	case 3, 4:
		body := strings.Repeat("b", c.upTo(20))
		fmt.Fprintf(b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case 5:
		n := c.decimal()
		fmt.Fprintf(b, "Content-Length: %s\r\n", n)
		if c.one(4) {
			fmt.Fprintf(b, "Content-Length: %s\r\n", c.of(n, " "+n+" ", c.decimal()))
		}
		fmt.Fprintf(b, "\r\n%s", strings.Repeat("b", c.upTo(30)))
	default:
		b.WriteString("\r\n")
	}
	if c.one(8) {
		b.WriteString(c.of("\r\n", "\n", "\r\n\r\n"))
	}
}

// pipelineModes are modes, and additional paths for which the handler reads a body in special ways.
var pipelineModes = append([]string{"/beside", "/beside?1", "/beside?2", "/closed", "/some?2", "/partly", "/partly?1"}, modes...)

func (c *chooser) field() string {
	switch c.upTo(10) {
	case 1:
		return "Connection: " + c.of("close", "keep-alive", "Keep-Alive", "close, keep-alive", "x") + "\r\n"
	case 2:
		return "Expect: " + c.of("100-continue", "100-Continue", "x", c.decimal()) + "\r\n"
	case 3:
		return "Trailer: " + c.of("X", "Y", "X, Y", "Content-Length") + "\r\n"
	case 4:
		return "Content-Length: " + c.decimal() + "\r\n"
	case 5:
		return "X: a\r\n " + c.decimal() + "\r\n"
	case 6:
		return "Max-Forwards: " + c.decimal() + "\r\nMax-Forwards: " + c.decimal() + "\r\n"
	case 7:
		return "Range: bytes=" + c.decimal() + "-" + c.decimal() + "\r\nKeep-Alive: timeout=" + c.decimal() + "\r\n"
	}
	return "X: " + c.decimal() + "\r\n"
}

func (c *chooser) chunkedBody(b *strings.Builder) {
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for range c.upTo(4) {
		n := 1 + c.upTo(20)
		fmt.Fprintf(b, "%s%x%s\r\n%s\r\n", c.of("", "", "0", "0000000"), n, c.extension(), strings.Repeat("c", n))
	}
	switch c.upTo(4) {
	case 0, 1:
	case 2:
		fmt.Fprintf(b, "%s%s\r\n%s\r\n", c.hex(), c.extension(), strings.Repeat("d", c.upTo(40)))
	case 3:
		fmt.Fprintf(b, "%s\r\n", c.hex())
		return
	}
	fmt.Fprintf(b, "%s%s\r\n", c.of("0", "0", "0", "00", "0000000000000000", "00000000000000000"), c.extension())
	for range c.upTo(3) {
		fmt.Fprintf(b, "%s: %s\r\n", c.of("X", "Y", "Content-Length", "Host", "x"), c.decimal())
	}
	b.WriteString("\r\n")
}

func (c *chooser) extension() string {
	return c.of("", "", "", ";a", ";a=\"b\"", ";a="+c.decimal(), " ")
}
