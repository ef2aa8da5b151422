package recycling_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about bugs in the parsers of other servers, named after the change that fixed
// them: fasthttp, hertz, nbio, Netty, Jetty.

// A length was used although the body was chunked, and the last one of several lengths.
func TestFasthttp1719_LengthAndChunked(t *testing.T) {
	parallel(t)
	chunked := "Transfer-Encoding: chunked"
	readVectors(t, cveModes, []vector{
		{name: "length first", raw: with("Content-Length: 5", chunked) + "0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole},
		{name: "chunked first", raw: with(chunked, "Content-Length: 5") + "0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole},
		{name: "length around", raw: with("Content-Length: 5", chunked, "Content-Length: 43") + "0\r\n\r\n" + smuggled, want: isRefused},
		{name: "identity and length", raw: with("Transfer-Encoding: identity", "Content-Length: 38") + smuggled, want: isRefused},
		{name: "unknown coding and length", raw: with("Transfer-Encoding: xchunked", "Content-Length: 38") + smuggled, want: isRefused},
		{name: "HTTP 1.0", raw: "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 38\r\n" + chunked + "\r\n\r\n" + smuggled, want: isRefused, nethttp: isWhole, body: smuggled},
	})
}

// A chunk extension could contain a LF.
func TestFasthttp1899_LFInChunkExtension(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "LF", raw: inChunks("3;a\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "LF and more", raw: inChunks("3;a\nb\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "after blank", raw: inChunks("3 \n;a\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "last chunk", raw: inChunks("0;a\nb\r\n\r\n"), want: isBroken},
	})
}

// Both kinds of line ends, folded lines and invalid names were parsed in a way of its own.
func TestFasthttp2030_HeaderLines(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "LF and CRLF", raw: "POST / HTTP/1.1\nHost: test\r\nContent-Length: 3\n\r\nabc", want: isWhole, body: "abc"},
		{name: "no colon", raw: with("Content-Length"), want: isRefused},
		{name: "folded length", raw: with("Content-Length:", " 3") + "abc", want: isRefused | isWhole, body: "abc"},
		{name: "length continued", raw: with("Content-Length: 4", " 1") + smuggled, want: isRefused},
		{name: "folded coding", raw: with("Transfer-Encoding:", " chunked") + "3\r\nabc\r\n0\r\n\r\n", want: isRefused | isWhole, body: "abc"},
		{name: "folded first line", raw: "POST / HTTP/1.1\r\n Content-Length: 38\r\nHost: test\r\n\r\n" + smuggled, want: isRefused},
		{name: "CR CR LF", raw: "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 38\r\r\n\r\n" + smuggled, want: isRefused},
		{name: "NUL in name", raw: with("Content-\x00Length: 38") + smuggled, want: isRefused},
		{name: "quoted name", raw: with(`"Content-Length": 38`) + smuggled, want: isRefused},
		{name: "bare CR for end", raw: "GET / HTTP/1.1\r\nHost: test\r\n\rGET /smuggled HTTP/1.1\r\n\r\n", want: isRefused},
	})
}

// A trailer could replace fields of the header.
func TestFasthttp2043_TrailersStayOutOfTheHeader(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		for _, field := range []string{"Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "Connection", "Trailer", "X-Forwarded-For"} {
			for _, declared := range []bool{false, true} {
				s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/" {
						return
					}
					before, host, length := r.Header.Clone(), r.Host, r.ContentLength
					io.Copy(io.Discard, r.Body)
					if r.Host != host || r.ContentLength != length || len(r.Header) != len(before) || r.Header.Get(field) != before.Get(field) {
						t.Errorf("%s: header was %v, is %v", field, before, r.Header)
					}
				})
				head := with("Transfer-Encoding: chunked", "Authorization: me")
				if declared {
					head = with("Transfer-Encoding: chunked", "Authorization: me", "Trailer: "+field)
				}
				c := s.dial(t)
				go io.WriteString(c, head+"3\r\nabc\r\n0\r\n"+field+": 7\r\n\r\n"+"GET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				c.answers()
				s.Close()
			}
		}
	})
}

// Two bytes of an extension could hide the end of the chunk's first line.
func TestFasthttp2165_ChunkExtensions(t *testing.T) {
	parallel(t)
	readVectors(t, cveOurModes, []vector{
		{name: "CR in extension", raw: inChunks("3;a\rb\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "CR at the end", raw: inChunks("3;a\r\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "NUL", raw: inChunks("3;\x00\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "no name", raw: inChunks("3;\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "no semicolon", raw: inChunks("3 a\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "open quote", raw: inChunks("3;a=\"b\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "escaped quote", raw: inChunks("3;a=\"\\\"\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "name and value", raw: inChunks("3;a=\"b\\\"\";c\r\nabc\r\n0;d=e\r\n\r\n"), want: isWhole, body: "abc"},
	})
}

// Space before the colon was removed; see also CVE-2019-16276.
func TestFasthttp2187_SpaceBeforeColon(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "length", raw: with("Content-Length : 38") + smuggled, want: isRefused},
		{name: "length, HTTP 1.0", raw: "POST / HTTP/1.0\r\nContent-Length : 38\r\n\r\n" + smuggled, want: isRefused},
		{name: "coding, twice", raw: with("Transfer-Encoding: chunked", "Transfer-Encoding : identity") + "0\r\n\r\n", want: isRefused},
		{name: "trailer", raw: inChunks("0\r\nX : y\r\n\r\n"), want: isBroken, nethttp: isBroken | isWhole},
	})
}

// Trailers with invalid names and values were accepted.
func TestFasthttp2188_2301_MalformedTrailers(t *testing.T) {
	parallel(t)
	var vectors []vector
	for _, line := range []string{"X", ": v", "X Y: v", "X(: v", "X\x00: v", "X: \x00", "X: a\rb", "X: \x7f", " X: v", "Ä: v"} {
		vectors = append(vectors, vector{name: line, raw: inChunks("3\r\nabc\r\n0\r\n" + line + "\r\n\r\n"), want: isBroken, nethttp: isBroken | isWhole, body: "abc"})
		vectors = append(vectors, vector{name: "second " + line, raw: inChunks("0\r\nA: b\r\n" + line + "\r\n\r\n"), want: isBroken, nethttp: isBroken | isWhole})
	}
	vectors[len(vectors)-3].want |= isWhole // " X: v" continues A
	readVectors(t, cveModes, vectors)
}

// Some parsers took space before an extension for the end of the size, others did not accept it.
func TestFasthttp2193_SpaceBeforeChunkExtension(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "space", raw: inChunks("3 ;a\r\nabc\r\n0\r\n\r\n"), want: isWhole | isBroken, body: "abc"},
		{name: "tab", raw: inChunks("3\t;a\r\nabc\r\n0\r\n\r\n"), want: isWhole | isBroken, body: "abc"},
		{name: "space first", raw: inChunks(" 3;a\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "space in the size", raw: inChunks("0 3;a\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "last chunk", raw: inChunks("0 ;a\r\n\r\n"), want: isWhole | isBroken},
	})
}

// The last one of two Transfer-Encoding fields counted.
func TestFasthttp2303_DuplicateTransferEncoding(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "chunked, identity", raw: with("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + "0\r\n\r\n" + smuggled, want: isRefused},
		{name: "identity, chunked", raw: with("Transfer-Encoding: identity", "Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused},
		{name: "chunked twice", raw: with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused},
		{name: "chunked in lower case too", raw: with("Transfer-Encoding: chunked", "transfer-encoding: chunked") + "0\r\n\r\n", want: isRefused},
		{name: "chunked and nothing", raw: with("Transfer-Encoding: chunked", "Transfer-Encoding:") + "0\r\n\r\n", want: isRefused},
		{name: "in a list", raw: with("Transfer-Encoding: chunked, chunked") + "0\r\n\r\n", want: isRefused},
	})
}

// HTTP/1.0 has no Transfer-Encoding, so a proxy of that version forwards the body as something
// else.
func TestFasthttp2330_TransferEncodingInHTTP10(t *testing.T) {
	parallel(t)
	readVectors(t, cveOurModes, []vector{
		{name: "chunked", raw: "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, want: isRefused},
		{name: "chunked and length", raw: "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", want: isRefused},
		{name: "identity", raw: "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: identity\r\n\r\n", want: isRefused},
	})
}

// A length of more than 64 bits was reduced modulo 2^64.
func TestFasthttp2343_ContentLengthWraps(t *testing.T) {
	parallel(t)
	var vectors []vector
	for _, n := range []string{"18446744073709551619", "9223372036854775811", "9223372036854775808", "4294967299000000000000000000000003", "340282366920938463463374607431768211459", strings.Repeat("9", 1000)} {
		vectors = append(vectors, vector{name: n[:min(len(n), 40)], raw: with("Content-Length: "+n) + "abc" + smuggled, want: isRefused})
	}
	for _, n := range []string{"10000000000000003", "ffffffffffffffff3", "100000000000000000000000000000003"} {
		vectors = append(vectors, vector{name: "chunk of " + n, raw: inChunks(n + "\r\nabc\r\n0\r\n\r\n" + smuggled), want: isBroken})
	}
	// These are negative as signed integers.
	for _, n := range []string{"8000000000000003", "fffffffffffffffd", "ffffffffffffffff"} {
		vectors = append(vectors, vector{name: "chunk of " + n, raw: inChunks(n + "\r\nabc\r\n0\r\n\r\n"), want: isBroken})
	}
	readVectors(t, cveModes, vectors[:len(vectors)-3])
	forEach(t, cveModes, func(t *testing.T, m mode) {
		var w witness
		s := m.start(t, &recycling.Server{HTTP: quiet()}, w.ServeHTTP)
		for _, v := range vectors[len(vectors)-3:] {
			c := s.dial(t)
			c.send("%s", v.raw)
			c.CloseWrite()
			answers := c.answers() // everything after it is data of that chunk
			if seen := w.take(); judge(v, seen, answers) != isBroken {
				t.Errorf("%s: the handler has seen %v, the answers are %q", v.name, seen, answers)
			}
		}
	})
}

// Chunked together with a length, unknown codings, and two codings were accepted.
func TestHertz1490_Framing(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "length and chunked", raw: with("Content-Length: 3", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole, body: "abc"},
		{name: "chunked twice", raw: with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused},
		{name: "identity", raw: with("Transfer-Encoding: identity"), want: isRefused},
		{name: "identity and length", raw: with("Transfer-Encoding: identity", "Content-Length: 3") + "abc", want: isRefused},
		{name: "chunked, identity", raw: with("Transfer-Encoding: chunked, identity") + "0\r\n\r\n", want: isRefused},
	})
}

// After a refused request, the connection stayed open.
func TestHertz1376_MalformedRequestEndsTheConnection(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "request line", raw: "GET /\r\n\r\n" + smuggled, want: isRefused},
		{name: "method", raw: "G@T / HTTP/1.1\r\nHost: test\r\n\r\n" + smuggled, want: isRefused},
		{name: "version", raw: "GET / HTTP/9.9\r\nHost: test\r\n\r\n" + smuggled, want: isRefused},
		{name: "header", raw: with("X Y") + smuggled, want: isRefused},
		{name: "length", raw: with("Content-Length: x") + smuggled, want: isRefused},
		{name: "Host", raw: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + smuggled, want: isRefused},
		{name: "chunk", raw: inChunks("x\r\n\r\n" + smuggled), want: isBroken},
	})
}

// Only the first of several lengths was checked, "+5" was a length, and chunked together with a
// length kept the connection open.
func TestNbioParser_Framing(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "length and chunked", raw: with("Content-Length: 0", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole, body: "abc"},
		{name: "second length", raw: with("Content-Length: 0", "Content-Length: 38") + smuggled, want: isRefused},
		{name: "plus", raw: with("Content-Length: +38") + smuggled, want: isRefused},
		{name: "plus in chunk size", raw: inChunks("+3\r\nabc\r\n0\r\n\r\n"), want: isBroken},
		{name: "minus", raw: with("Content-Length: -1"), want: isRefused},
		{name: "minus nothing", raw: with("Content-Length: -0"), want: isRefused},
	})
}

// A quoted string in a chunk extension must not contain CRLF. A parser that knows quotes may look
// for the second CRLF, and one that does not for the first. Either interpretation hides a request
// from the other.
func TestCVE_2026_33870_2026_2332_FunkyChunks(t *testing.T) {
	parallel(t)
	// If the line ends at the first CRLF, the chunk's data is "X", and a request follows the last
	// chunk. If it ends after the quotes, the last chunk comes later.
	first := "1;a=\"\r\nX\r\n0\r\n\r\n" + smuggled + "\"\r\nX\r\n0\r\n\r\n"
	// Conversely, if the line ends after the quotes, the body ends before the request.
	second := "1;a=\"\r\nX\"\r\nX\r\n0\r\n\r\n" + smuggled
	vectors := []vector{
		{name: "to the first CRLF", raw: inChunks(first), want: isBroken},
		{name: "to the end of the quotes", raw: inChunks(second), want: isBroken},
		{name: "CRLF escaped", raw: inChunks("1;a=\"\\\r\nX\r\n0\r\n\r\n" + smuggled), want: isBroken},
		{name: "in the last chunk", raw: inChunks("0;a=\"\r\n\r\n" + smuggled + "\"\r\n\r\n"), want: isBroken},
		{name: "in a name", raw: inChunks("1;\"a\r\nX\r\n0\r\n\r\n" + smuggled), want: isBroken},
		{name: "LF in quotes", raw: inChunks("1;a=\"\nX\r\n0\r\n\r\n" + smuggled), want: isBroken},
		{name: "CR in quotes", raw: inChunks("1;a=\"\r\"\r\nX\r\n0\r\n\r\n" + smuggled), want: isBroken},
	}
	readVectors(t, cveOurModes, vectors) // net/http does not check extensions
	// A handler that does not read the body gets no error, but the connection must close
	// nevertheless.
	forEach(t, cveOurModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI != "/" {
				t.Errorf("the handler was called with %s", r.RequestURI)
			}
		})
		for _, v := range vectors {
			c := s.dial(t)
			go io.WriteString(c, v.raw+get)
			if answers := c.answers(); len(answers) != 1 || !strings.HasSuffix(answers[0], ", close") {
				t.Errorf("%s: the answers are %q", v.name, answers)
			}
		}
	})
}

// A path with ".." or a backslash left the root of its file server. Paths are parsed by package
// net/url here, as in net/http.
func TestCVE_2022_40082_PathsAreNetHTTPs(t *testing.T) {
	parallel(t)
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	for name, text := range map[string]string{filepath.Join(dir, "secret"): "SECRET", filepath.Join(root, "public"): "public"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	targets := []string{"/public", "/../secret", "/..%2fsecret", "/%2e%2e/secret", "/%2e%2e%2fsecret", "/..%5csecret", "/..\\secret", "/./public", "//secret", "//../secret", "/a/../../secret",
		"/a/..;/secret", "/..", "/%2e%2e", "/%252e%252e/secret", "/\xc0\xae\xc0\xae/secret", "/public%00", "/public/../../secret", "/..%c0%afsecret", "http://test/../secret", "/a//b", "/a%2Fb", "/a?x=/../y"}
	files := http.FileServer(http.Dir(root))
	forEach(t, cveModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Path", r.URL.EscapedPath())
			w.Header().Set("X-Unescaped", strings.ToValidUTF8(strings.ReplaceAll(r.URL.Path, "\x00", "NUL"), "?"))
			files.ServeHTTP(w, r)
		})
		for _, target := range targets {
			c := s.dial(t)
			raw := "GET " + target + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
			c.send("%s", raw)
			res, body := c.response()
			if strings.Contains(body, "SECRET") {
				t.Errorf("%q is answered with a file beyond the root", target)
			}
			want, err := http.ReadRequest(newReader(raw))
			if err != nil {
				if res.StatusCode != http.StatusBadRequest {
					t.Errorf("%q: %s, want 400: %v", target, res.Status, err)
				}
				continue
			}
			if got := res.Header.Get("X-Path"); got != want.URL.EscapedPath() {
				t.Errorf("%q: escaped path is %q, want %q", target, got, want.URL.EscapedPath())
			}
			if got := res.Header.Get("X-Unescaped"); got != strings.ToValidUTF8(strings.ReplaceAll(want.URL.Path, "\x00", "NUL"), "?") {
				t.Errorf("%q: path is %q, want %q", target, got, want.URL.Path)
			}
		}
	})
}
