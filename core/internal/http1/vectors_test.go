package http1

import (
	"fmt"
	"strings"
)

// vectors are header blocks, most of which have one flaw.
var vectors = makeVectors()

func makeVectors() (all []string) {
	add := func(format string, parts ...string) {
		for _, p := range parts {
			all = append(all, strings.ReplaceAll(format, "•", p))
		}
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "M-SEARCH", "get", "", "G@T", "GET\t", "G\x00T", "GÉT", strings.Repeat("A", 300)}
	targets := []string{"/", "*", "", "/a/b?c=d&e", "/?", "/?a?b", "/??", "//a//b", "/a/../b", "/a%20b", "/a%2Fb", "/a%zz", "/%", "/a;b=c", "/a:b", "/a#b", "/a\\b",
		"/a\tb", "/\x7f", "/\x01", "/é", "/\xff", "/!'()*", "/a?b c", "/?x=%zz", "?a", "#", "a", "a:443", "example.com:443", "[::1]:443", "a:", "a:b", ":443", "1:2",
		"http://a/", "http://a", "http://a:80/b?c", "http://a:b/", "http://u:p@a/", "HTTP://A/", "ftp://a/", "http:///", "http:/a", "mailto:a@b", "urn:1:2", "x:1", "x:1?", "x:1?a", "x:1#a", "http://[::1]/", "http://[::1", "http://a b/",
		strings.Repeat("/a", 1000)}
	for _, m := range methods {
		add(m+" • HTTP/1.1\r\nHost: a\r\n\r\n", "/", "*", "a:443", "http://a/")
	}
	for _, m := range []string{"GET", "CONNECT", "OPTIONS"} {
		add(m+" • HTTP/1.1\r\nHost: a\r\n\r\n", targets...)
	}
	add("GET / •\r\nHost: a\r\n\r\n", "HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/3.0", "HTTP/1.10", "HTTP/11.1", "http/1.1", "HTTP/1", "HTTP/1.", "HTTP1.1", "HTTP/ 1.1", "HTTP/1.1 ", " HTTP/1.1", "", "HTTP/+1.1")
	add("•\r\nHost: a\r\n\r\n", "GET /", "GET", "GET / HTTP/1.1 x", "GET  / HTTP/1.1", " GET / HTTP/1.1", "GET\t/\tHTTP/1.1", "PRI * HTTP/2.0", "GET / HTTP/1.1\r")
	add("GET / HTTP/1.1\r\n•\r\n\r\n", "Host: a", "Host:a", "Host: ", "Host:", "host: a", "HOST: a", "Host : a", "Host\t: a", " Host: a", "Host: a\r\nHost: a", "Host: a\r\nHost: b", "Host: a:80", "Host: a:xyz",
		"Host: a:80:80", "Host: [::1]", "Host: [::1]:80", "Host: [::1", "Host: ::1", "Host: a/b", "Host: a b", "Host: a,b", "Host: u@a", "Host: a\r\n b", "Host: é", "Host: %61", "X: y", "Host: a\x00", "Host: *")
	add("GET / HTTP/1.1\r\nHost: a\r\n•\r\n\r\n", "X: y", "X:y", "X:  y  ", "X:\ty\t", "X", "X y", ":", ": y", "X:", "X: ", "X :y", "X\t:y", "X Y: z", "X-: y", "-X: y", "X_Y: z", "x-y-z: 1", "X-Y: a\r\nX-Y: b", "x-y: a\r\nX-Y: b",
		"X: a\r\n b", "X: a\r\n\tb", "X: a\r\n  b  \r\n c", "X: a\r\n ", "X: a\r\n \r\n b", " X: y", "X: a\rb", "X: \x00", "X: \x01", "X: \x7f", "X: \x80\xff", "X: é", "é: x", "X\x00: y", "(X): y", "X: \"y\"", "X: y;z=\"\\\"\"",
		"X: "+strings.Repeat("y", 5000), strings.Repeat("X", 5000)+": y", "Pragma: no-cache", "Pragma: no-cache\r\nCache-Control: max-age=1", "Pragma: x", "Pragma:", "Cookie: a=b; c=d\r\nCookie: e=f")
	add("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: •\r\n\r\n", "0", "1", "+1", "-1", "1.0", "0x1", "1_0", "", " ", " 5 ", "5,5", "5, 5", "5 5", "00005", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1e3", "٣", "5\r\nContent-Length: 5", "5\r\nContent-Length: 6", "5\r\ncontent-length:5", "5\r\n 6")
	for _, version := range []string{"1.0", "1.1"} {
		add("POST / HTTP/"+version+"\r\nHost: a\r\nTransfer-Encoding: •\r\n\r\n", "chunked", "Chunked", "CHUNKED", "chunked ", " chunked", "\tchunked", "gzip", "gzip, chunked", "chunked, gzip", "chunked,chunked", ", chunked", "chunked,", "identity", "", "\"chunked\"", "chunked;x", "xchunked", "chun\u212Aed", "chunked\r\nTransfer-Encoding: chunked", "gzip\r\nTransfer-Encoding: chunked", "\x0bchunked", "chunked\r\n , gzip",
			"chunked\r\nContent-Length: 5", "chunked\r\nContent-Length: x", "gzip\r\nContent-Length: 5")
		add("GET / HTTP/"+version+"\r\nHost: a\r\nConnection: •\r\n\r\n", "close", "Close", "CLOSE", "keep-alive", "Keep-Alive", "close, keep-alive", "keep-alive, close", "upgrade", "close,", ", close", "closed", "x close", "close\r\nConnection: keep-alive", "", "\"close\"")
	}
	add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: •\r\n\r\n", "X", "X, Y", "x-y", "", ",", "Content-Length", "Transfer-Encoding", "trailer", "X\r\nTrailer: Y", "X Y")
	add("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n•\r\n\r\n", "Trailer: X", "Expect: 100-continue", "Expect: 100-Continue", "Expect: x", "Expect:", "Upgrade: x\r\nConnection: upgrade")
	add("•", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\n\n", "PRI * HTTP/2.0\r\n\r\n", "\x16\x03\x01\n\n", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n")
	for n := range 40 {
		all = append(all, "GET / HTTP/1.1\r\nHost: a\r\n"+strings.Repeat(fmt.Sprintf("X-%d: %d\r\n", n%7, n), n)+"\r\n")
	}
	return all
}
