package http1

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// connections returns inputs of whole connections, most of which have one flaw. In format, each of
// parts in turn replaces the •.
func connections() (all []string) {
	for _, v := range vectors {
		all = append(all, v, v+"5\r\nhello\r\n0\r\n\r\n"+next, v+next)
	}
	for _, g := range connectionTable {
		for _, p := range g.parts {
			all = append(all, strings.ReplaceAll(g.format, "•", p))
		}
	}
	return slices.Concat(all, bodySizes())
}

// next is a request that must not get lost, and must not be taken out of a body.
const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

const (
	chunkedPost = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	post5       = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
)

// modes are paths for which the handler treats the body in different ways.
var modes = []string{"/", "/?1", "/?12", "/?123", "/none", "/some", "/some?1", "/close", "/early", "/304", "/length", "/bye", "/panic", "/long"}

var connectionTable = []struct {
	about, format string
	parts         []string
}{
	{"a body with a length, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + next, modes},
	{"a body that does not come, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", modes},
	{"a chunked body, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" + next, modes},
	{"too little for a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n•", []string{"0", "0\n", "0\n\n", "\n\n0", "0\r\n\r\n"}},
	{"a chunked body that the client offers and breaks, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n\n0", modes},
	{"a chunked body that is broken, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo0\r\n\r\n" + next, modes},
	{"a body that the client offers, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + next, modes},
	{"Transfer-Encoding and Content-Length, read in all ways", "POST • HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" + next, modes},
	{"HTTP/1.0 answered in all ways", "POST • HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello" + next, modes},
	{"other methods with a body", "• / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + next, []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO"}},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n•\r\n" + next, []string{"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}},

	{"sizes of chunks", chunkedPost + "\r\n•\r\nhello\r\n0\r\n\r\n" + next, []string{"5", "05", "005", "0000000000000005", "00000000000000005", "0x5", "+5", "-5", " 5", "5 ", "5\t", "5 \t ", "5\x0b", "", "x", "5x", "5,5", "5 5", "4", "6", "a", "A",
		"7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "FFFFFFFFFFFFFFFB", "10000000000000000", "fffffffffffffffff", "٥"}},
	{"sizes of chunks at the edges, with bytes in front", chunkedPost + "\r\n•hello", func() (all []string) {
		for _, front := range []string{"1\r\na\r\n", "5\r\nhello\r\n", ""} {
			for _, n := range []uint64{0, 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64} {
				all = append(all, fmt.Sprintf("%s%x\r\n", front, n))
			}
		}
		return all
	}()},
	{"lengths at the edges", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: •\r\n\r\nhello", []string{"0", "1", "2147483647", "2147483648", "2147483649", "9223372036854775807", "9223372036854775808", "9223372036854775809", "18446744073709551615", "18446744073709551616"}},
	{"the last chunk", chunkedPost + "\r\n5\r\nhello\r\n•\r\n" + next, []string{"0\r\n", "00\r\n", "0000000000000000\r\n", "00000000000000000\r\n", "0;a=b\r\n", "0\n", "0 \r\n", "0\r\r\n", "\r\n", "0\r\n\r\n", "0", "-0\r\n", "0;\r\n", "0;\n"}},
	{"line ends of chunks", chunkedPost + "\r\n•0\r\n\r\n" + next, []string{"5\nhello\r\n", "5\r\nhello\n", "5\r\nhello", "5\nhello\n", "5\rhello\r\n", "5\r\rhello\r\n", "5\r\r\nhello\r\n", "5\r\nhello\r\r\n", "5\r\nhello\rx", "5\r\nhello\r", "5\r\nhellox\r\n", "5\r\nhello\r\n\r\n", "5\r\nhello  \r\n", "5\n\rhello\r\n", "5;a\nhello\r\n", "5;a=\"\n\"\r\nhello\r\n"}},
	{"extensions of chunks", chunkedPost + "\r\n5•\r\nhello\r\n0\r\n\r\n" + next, []string{";a", ";a=b", ";a=b;c=d", " ; a = b ; c", ";a=\"b\"", ";a=\"b c\"", ";a=\"\\\"\"", ";a=\"\\\\\"", ";a=\"\"", ";a=\";\"", ";a=\"b", ";a=b\"", ";a=\"b\"c", ";a='b'", ";", ";;", ";a;", ";=b", ";a=", ";a==b", ";a b", ";a=b c",
		";a=\x00", ";a=\x01", ";\x01", ";a=\x7f", ";a=\"\x7f\"", ";a=\"\x01\"", ";a=\"\t\"", ";a=\"é\"", ";a=é", ";é=a", ";a=\"\\\x01\"", ";a=\"\\é\"", ";a=\"\r\"", ";a\r;b", ";a=(b)", ";a=b/c", "\t;\ta\t=\tb\t", ";a=b ", ";a=b\x0b", "; ", "a;b", " a"}},
	{"long lines of chunks", chunkedPost + "\r\n5;a=•\r\nhello\r\n0\r\n\r\n" + next, []string{strings.Repeat("b", 1000), strings.Repeat("b", 4089), strings.Repeat("b", 4090), strings.Repeat("b", 4091), strings.Repeat("b", 4092), strings.Repeat("b", 9000), "\"" + strings.Repeat("b", 4000) + "\""}},
	{"leading zeros without end", chunkedPost + "\r\n•5\r\nhello\r\n0\r\n\r\n" + next, []string{strings.Repeat("0", 15), strings.Repeat("0", 16), strings.Repeat("0", 5000)}},
	{"many chunks", chunkedPost + "\r\n•0\r\n\r\n" + next, []string{strings.Repeat("1\r\nx\r\n", 2000), strings.Repeat("1;a=bcdefghijk\r\nx\r\n", 2000), strings.Repeat("1;a="+strings.Repeat("b", 100)+"\r\nx\r\n", 170), strings.Repeat("1;a="+strings.Repeat("b", 100)+"\r\nx\r\n", 200), strings.Repeat("64\r\n"+strings.Repeat("x", 100)+"\r\n", 200)}},
	{"too much overhead in the last chunk", chunkedPost + "\r\n1;a=" + strings.Repeat("b", 4000) + "\r\nx\r\n1;a=" + strings.Repeat("b", 4000) + "\r\nx\r\n1;a=" + strings.Repeat("b", 4000) + "\r\nx\r\n1;a=" + strings.Repeat("b", 4000) + "\r\nx\r\n•\r\n\r\n" + next,
		[]string{"0", "0;a", "0;a=" + strings.Repeat("b", 380), "0;a=" + strings.Repeat("b", 4000), "1\r\nx\r\n0", "1;a=" + strings.Repeat("b", 4000) + "\r\nx\r\n0"}},

	{"trailers", chunkedPost + "Trailer: X, Y\r\n\r\n5\r\nhello\r\n0\r\n•\r\n" + next, []string{"", "X: y\r\n", "x: y\r\n", "X: y\r\nY: z\r\n", "X: y\r\nX: z\r\n", "Z: y\r\n", "X: y\n", "X: y\n\n", "\n", "X: a\r\n b\r\n", "X: a\r\n b\r\n\tc\r\n", " X: y\r\n", "\tX: y\r\n", "X\r\n", "X y\r\n", "X : y\r\n", "X Y: z\r\n", ": y\r\n", ":\r\n", "X:\r\n", "X:y\r\n", "X:  y  \r\n",
		"X: a\rb\r\n", "X: y\r\r\n", "X: \x00\r\n", "X: \x7f\r\n", "X: é\r\n", "é: x\r\n", "(X): y\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Trailer: Z\r\n", "Host: b\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "Authorization: x\r\n", "content-length: 1\r\nX: y\r\n",
		"X: " + strings.Repeat("y", 4080) + "\r\n", strings.Repeat("X: y\r\n", 100), strings.Repeat("X: y\r\n", 1000)}},
	{"long trailers", chunkedPost + "\r\n0\r\nX: •\r\n\r\n" + next, []string{strings.Repeat("y", 4000), strings.Repeat("y", 4087), strings.Repeat("y", 4088), strings.Repeat("y", 4089), strings.Repeat("y", 4090), strings.Repeat("y", 4091), strings.Repeat("y", 4092), strings.Repeat("y", 9000)}},
	{"declared trailers", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: •\r\n\r\n0\r\nX: y\r\n\r\n" + next, []string{"X", "x", "Y", "X, Y", "X,X", ",", "", " ", "X Y", "é", "Content-Length", "content-length", "Transfer-Encoding", "Trailer", "Host", "X\r\nTrailer: Y"}},
	{"Trailer without chunks", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\n•" + next, []string{"Content-Length: 0\r\n\r\n", "\r\n", "Content-Length: 2\r\n\r\nhe"}},

	{"Expect", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: •\r\n\r\nhello" + next, []string{"100-continue", "100-Continue", "100-CONTINUE", "foo", "", " ", "100-continue, foo", "foo, 100-continue", "100-continue;a=b", "100-continue\r\nExpect: foo", "foo\r\nExpect: 100-continue", "\r\nExpect: 100-continue", "\"100-continue\"", "100"}},
	{"Expect of HTTP/1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\nExpect: •\r\n\r\nhello" + next, []string{"100-continue", "foo", ""}},
	{"Expect without a body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: •\r\n\r\n" + next, []string{"100-continue", "foo", "", "100-continue\r\nContent-Length: 0"}},
	{"Expect, and the body does not come", "POST • HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", modes},
	{"Expect with a chunked body", "POST • HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, modes},

	{"Connection", "GET / HTTP/1.1\r\nHost: a\r\nConnection: •\r\n\r\n" + next, connectionValues},
	{"Connection of HTTP/1.0", "GET / HTTP/1.0\r\nConnection: •\r\n\r\n" + next, connectionValues},
	{"Connection with a body", "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: •\r\n\r\nhello" + next, connectionValues},
	{"no Connection", "GET / •\r\n\r\n" + next, []string{"HTTP/1.0", "HTTP/1.1\r\nHost: a", "HTTP/1.2\r\nHost: a"}},

	{"between requests", next + "•" + next, []string{"", "\r\n", "\n", "\r\n\r\n", "\n\n\n\n\n\n", "\r", "\r\r\n", " ", " \r\n", "\t", "\x00", "\r\n ", "x", "5\r\nhello\r\n"}},
	{"after a POST", post5 + "•" + next, []string{"", "\r\n", "\n", "\r\n\r\n", "\r\n\r\n\r\n", "\n\n\n\n\n\n", "\r", "\r\r", "\r\r\n", "\r\r\r\r\r", "\n\r", " ", " \r\n", "\x00", "\r\n ", "x", "hello"}},
	{"before a request", "•" + next, []string{"\r\n", "\n", "\r\n\r\n\r\n\r\n\r\n", "\r", " ", "\x00", "\ufeff"}},
	{"pieces at the end", next + "•", []string{"G", "GE", "GET", "GET ", "GET /", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "\r", "\r\n", "\r\n\r", "\n", "\n\n\n\n\n", " ", "x\r\n", "\r\nGE", "\r\n\r\nGE"}},
	{"pieces after a POST", post5 + "•", []string{"G", "GET", "\r", "\r\n", "\r\n\r", "\r\nG", "\r\nGET / HTTP/1.1\r\n", "\r\n\r\nG", "\r\n\r\n\r\n\r\n"}},
	{"pieces alone", "•", []string{"", "G", "GE", "GET", "\r", "\r\n", "\n", "\r\n\r\n", "\x16\x03\x01\x00", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r"}},

	{"pipelines", "•", []string{
		next + next, next + next + next + next + next,
		post5 + post5 + next, post5 + next + post5 + next, post5 + "\r\n" + post5 + "\r\n" + next,
		chunkedPost + "\r\n5\r\nhello\r\n0\r\n\r\n" + post5 + chunkedPost + "\r\n0\r\n\r\n" + next,
		strings.Repeat(next, 40), strings.Repeat(post5, 40),
		"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + next, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n" + next + "HEAD /long HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + next + "GET / HTTP/1.0\r\n\r\n" + next,
		"GET / HTTP/1.1\nHost: a\n\n" + next + "POST / HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello" + next,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", next + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + next,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + next,
	}},
	{"malformed in the middle", next + post5 + "•" + next, []string{
		"GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", chunkedPost + "\r\nx\r\n", chunkedPost + "\r\n5\nhello\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n"}},
	{"several faults", "•\r\n\r\n" + next, []string{"POST / HTTP/1.0\r\nHost: a b\r\nTransfer-Encoding: chunked", "GET * HTTP/1.1\r\nHost: a:x", "GET * HTTP/1.1\r\nHost: a b", "GET * HTTP/3.0", "GET * HTTP/1.1", "POST * HTTP/1.1\r\nTransfer-Encoding: gzip", "POST / HTTP/1.1\r\nHost: a:x\r\nTransfer-Encoding: gzip", "POST / HTTP/1.1\r\nX : y\r\nHost: a:x",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: x", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nX : y", "CONNECT a HTTP/1.1\r\nHost: a\r\nX : y", "GET * HTTP/0.9\r\nTransfer-Encoding:"}},
}

var connectionValues = []string{"close", "Close", "keep-alive", "Keep-Alive", "close, keep-alive", "keep-alive, close", "upgrade", "close,", ",close", "x, close", "closed", "\"close\"", "", "close\r\nConnection: keep-alive", "keep-alive\r\nConnection: close", "upgrade\r\nUpgrade: x", "\vclose", "cloſe", "\u212Aeep-alive"}

// bodySizes returns bodies whose sizes are close to those of buffers, and lengths that do not match
// the body.
func bodySizes() (all []string) {
	for _, path := range []string{"/", "/none", "/some", "/early"} {
		for _, n := range []int{1, 2, 4000, 4095, 4096, 4097, 8192, 20000} {
			body := strings.Repeat("x", n)
			all = append(all,
				fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s%s", path, n, body, next),
				fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s", path, n, body, next))
		}
		for _, length := range []string{"0", "4", "6", "100", "262143", "262144", "262145", "9223372036854775807", "9223372036854775808", "-1"} {
			all = append(all, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: "+length+"\r\n\r\nhello"+next)
		}
	}
	return all
}
