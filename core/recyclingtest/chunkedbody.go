package recyclingtest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

var chunkedBodies = []behaviour{
	chunksAreJoined,
	chunkSizesMayBeWrittenInManyWays,
	chunkExtensionsAreIgnored,
	chunkedBodyMayBeSplitAtAnyByte,
	requestTrailersArriveAtTheEnd,
	undeclaredRequestTrailersArriveToo,
	requestTrailersAreNotMergedIntoTheHeader,
	requestTrailersOfUnreadBodyAreDrained,
	malformedChunksFailTheRead,
	malformedChunksInUnreadBodyEndTheConnection,
	longTrailerEndsTheConnection,
	chunkOverheadIsBounded,
	chunkLargerThanAnyNumberEndsItsConnectionOnly,
}

const chunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunksAreJoined(t *test) {
	c := t.serve(echoBody).dial(t)
	for _, n := range []int{1, 15, 16, 17, 4096, 70_000} {
		body := pattern(100_000)
		c.sendBeside(chunkedBy(n, body))
		c.wants(200, "/ "+body+" <nil>")
	}
}

func chunkSizesMayBeWrittenInManyWays(t *test) {
	c := t.serve(echoBody).dial(t)
	for _, size := range []string{"a", "A", "0a", "000000000000000A", "a ", "a\t", "a;x=y"} {
		c.send(chunkedHead + size + "\r\n0123456789\r\n0\r\n\r\n")
		c.wants(200, "/ 0123456789 <nil>")
	}
	for _, last := range []string{"0", "00", "0000000000000000", "0 ", "0;x"} {
		c.send(chunkedHead + "3\r\nabc\r\n" + last + "\r\n\r\n")
		c.wants(200, "/ abc <nil>")
	}
}

func chunkExtensionsAreIgnored(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send(chunkedHead + "3;a=b\r\nabc\r\n3;a=\"b;c\";d\r\ndef\r\n0;" + strings.Repeat("x", 300) + "\r\n\r\n")
	c.wants(200, "/ abcdef <nil>")
	c.goesOn()
}

func chunkedBodyMayBeSplitAtAnyByte(t *test) {
	c := t.serve(echoBody).dial(t)
	raw := chunkedHead + "3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\nX-Trailer: v\r\n\r\n"
	for i := len(chunkedHead); i < len(raw); i++ {
		c.send(raw[:i])
		c.send(raw[i:])
		c.wants(200, "/ abc0123456789 <nil>")
	}
}

// trailersBeforeAndAfter reports Request.Trailer before and after the body is read.
func trailersBeforeAndAfter(w http.ResponseWriter, r *http.Request) {
	before := maps.Clone(r.Trailer)
	io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%v %v", before, r.Trailer)
}

func requestTrailersArriveAtTheEnd(t *test) {
	c := t.serve(trailersBeforeAndAfter).dial(t)
	c.send(request("POST", "/", "Transfer-Encoding: chunked", "Trailer: X-A, x-b", "Trailer: X-C") +
		inChunks("abc") + "0\r\nx-a: 1\r\nX-C: 2\r\nX-C: 3\r\n\r\n")
	c.wants(200, "map[X-A:[] X-B:[] X-C:[]] map[X-A:[1] X-B:[] X-C:[2 3]]")
	c.send(post("/", "abc", "Trailer: X-A"))
	c.wants(200, "map[] map[]")
}

func undeclaredRequestTrailersArriveToo(t *test) {
	c := t.serve(trailersBeforeAndAfter).dial(t)
	c.send(chunkedHead + "0\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
	c.wants(200, "map[] map[X-A:[1 2]]")
}

// requestTrailersAreNotMergedIntoTheHeader: decisions based on the header must remain valid.
func requestTrailersAreNotMergedIntoTheHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Header["Authorization"], r.Header["X-A"], r.Host, r.ContentLength)
	}).dial(t)
	c.send(request("POST", "/", "Transfer-Encoding: chunked", "Trailer: Authorization, X-A", "X-A: header") +
		"0\r\nAuthorization: trailer\r\nX-A: trailer\r\nHost: trailer\r\nContent-Length: 9\r\n\r\n")
	c.wants(200, "[] [header]example.test-1")
	c.goesOn()
}

func requestTrailersOfUnreadBodyAreDrained(t *test) {
	c := t.serve(echoTarget).dial(t)
	c.send(chunkedHead + inChunks("abc") + "0\r\nX-A: 1\r\n\r\n" + get("/next"))
	c.wants(200, "/")
	c.wants(200, "/next")
}

// malformedChunks are bodies that two parsers might interpret differently.
var malformedChunks = map[string]string{
	"no digit":             "\r\nabc\r\n0\r\n\r\n",
	"not a digit":          "g\r\nabc\r\n0\r\n\r\n",
	"sign":                 "+3\r\nabc\r\n0\r\n\r\n",
	"negative":             "-3\r\nabc\r\n0\r\n\r\n",
	"hexadecimal prefix":   "0x3\r\nabc\r\n0\r\n\r\n",
	"underscore":           "1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
	"space before":         " 3\r\nabc\r\n0\r\n\r\n",
	"space between":        "0 3\r\nabc\r\n0\r\n\r\n",
	"too long a number":    "00000000000000003\r\nabc\r\n0\r\n\r\n",
	"overflow":             "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
	"LF after size":        "3\nabc\r\n0\r\n\r\n",
	"CR in size":           "3\r\rabc\r\n0\r\n\r\n",
	"LF in extension":      "3;a\nabc\r\n0\r\n\r\n",
	"LF after data":        "3\r\nabc\n0\r\n\r\n",
	"nothing after data":   "3\r\nabc0\r\n\r\n",
	"data too long":        "3\r\nabcd\r\n0\r\n\r\n",
	"data too short":       "5\r\nabc\r\n0\r\n\r\n",
	"NUL in size":          "3\x00\r\nabc\r\n0\r\n\r\n",
	"trailer without name": "3\r\nabc\r\n0\r\n: v\r\n\r\n",
	"trailer no colon":     "3\r\nabc\r\n0\r\nfoo\r\n\r\n",
}

func malformedChunksFailTheRead(t *test) {
	result := make(chan error, len(malformedChunks))
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		result <- err
	})
	for name, body := range malformedChunks {
		t.each(name, func(t *test) {
			c := s.dial(t)
			c.send(chunkedHead + body + get("/next"))
			if a := c.answer("POST"); !a.Close {
				t.Errorf("response has no Connection: close")
			}
			if err := receive(t, result, "result of reading the body"); err == nil {
				t.Errorf("reading the body has not failed")
			}
			c.ends()
		})
	}
}

func malformedChunksInUnreadBodyEndTheConnection(t *test) {
	s := t.serve(echoTarget)
	for name, body := range malformedChunks {
		t.each(name, func(t *test) {
			c := s.dial(t)
			c.send(chunkedHead + body + get("/next"))
			if a := c.answer("POST"); !a.Close {
				t.Errorf("response has no Connection: close")
			}
			c.ends()
		})
	}
}

func longTrailerEndsTheConnection(t *test) {
	c := t.serve(echoTarget).dial(t)
	c.sendBeside(chunkedHead + "0\r\nX-A: " + strings.Repeat("x", 100_000) + "\r\n\r\n")
	c.answer("POST")
	c.ends()
}

// chunkOverheadIsBounded: see CVE-2023-39326.
func chunkOverheadIsBounded(t *test) {
	result := make(chan error, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		result <- err
	}).dial(t)
	c.sendBeside(chunkedHead + strings.Repeat("1;"+strings.Repeat("x", 3000)+"\r\na\r\n", 300) + "0\r\n\r\n")
	if err := receive(t, result, "result of reading the body"); err == nil {
		t.Errorf("300 chunks of one byte, with 3000 bytes of extension each, were read")
	}
	c.answer("POST")
	c.ends()
}

// chunkLargerThanAnyNumberEndsItsConnectionOnly: the sum of what was decoded and the size of the
// chunk must not overflow. The handler reads the body, ignores it, or has another goroutine read
// it.
func chunkLargerThanAnyNumberEndsItsConnectionOnly(t *test) {
	for _, how := range []string{"/read", "/leave", "/close", "/beside"} {
		s := t.serve(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/read":
				io.Copy(io.Discard, r.Body)
			case "/close":
				r.Body.Close()
			case "/beside": // as http.Transport does for a reverse proxy
				done := make(chan bool)
				go func() {
					defer close(done)
					io.Copy(io.Discard, r.Body)
				}()
				<-done
			}
		})
		for _, before := range []string{"", "1\r\na\r\n", "5\r\nhello\r\n"} {
			for _, size := range []string{"7ffffffffffffffe", "7fffffffffffffff", "8000000000000000", "8000000000000001", "fffffffffffffffe", "FFFFFFFFFFFFFFFF"} {
				c := s.dial(t)
				c.send("POST " + how + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + before + size + "\r\nhello")
				c.halfClose()
				c.rest()
			}
		}
		if a := s.dial(t).exchange(get("/after")); a.StatusCode != 200 {
			t.Errorf("%s: after that a request is answered with %d", how, a.StatusCode)
		}
	}
}
