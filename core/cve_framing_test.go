package recycling_test

import (
	"strings"
	"testing"
)

// These tests are about where a request and its body end: bugs of package net/http. For bugs of
// other servers, see cve_servers_test.go.

// "Content Length" counted as Content-Length; of two lengths one was used; a length was used
// although the body was chunked.
func TestCVE_2015_5739_5740_5741_Framing(t *testing.T) {
	parallel(t)
	chunked := "Transfer-Encoding: chunked"
	readVectors(t, cveModes, []vector{
		{name: "5739 space in name", raw: with("Content Length: 4") + "abcd", want: isRefused},
		{name: "5739 space in name beside length", raw: with("Content Length: 44", "Content-Length: 4") + "abcd", want: isRefused},
		{name: "5739 space in Transfer-Encoding", raw: with("Transfer Encoding: chunked") + "0\r\n\r\n", want: isRefused},
		{name: "5740 two lengths", raw: with("Content-Length: 4", "Content-Length: 38") + "abcd" + smuggled, want: isRefused},
		{name: "5740 two lengths, the second shorter", raw: with("Content-Length: 38", "Content-Length: 4") + smuggled, want: isRefused},
		{name: "5740 lengths in a list", raw: with("Content-Length: 4, 4") + "abcd", want: isRefused},
		{name: "5741 length and chunked", raw: with("Content-Length: 4", chunked) + "0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole},
		{name: "5741 chunked and length", raw: with(chunked, "Content-Length: 50") + "3\r\nabc\r\n0\r\n\r\n", want: isRefused | isLast, nethttp: isWhole, body: "abc"},
	})
}

// "Foo : bar" was taken for "Foo: bar".
func TestCVE_2019_16276_SpaceBeforeColon(t *testing.T) {
	parallel(t)
	var vectors []vector
	for _, space := range []string{" ", "\t", "  ", " \t"} {
		for _, field := range []string{"X-A%: b", "Host%: a", "Content-Length%: 38", "Transfer-Encoding%: chunked", "Connection%: close"} {
			line := strings.ReplaceAll(field, "%", space)
			vectors = append(vectors, vector{name: line, raw: with(line) + smuggled, want: isRefused})
		}
	}
	readVectors(t, cveModes, vectors)
}

// "Transfer-Encoding: \rchunked" was taken for chunked, where others saw no coding at all.
func TestCVE_2022_1705_ControlInTransferEncoding(t *testing.T) {
	parallel(t)
	var vectors []vector
	for _, control := range []string{"\r", "\v", "\f", "\x00", "\x01", "\x1f", "\x7f", "\x85", "\xa0"} {
		for _, value := range []string{control + "chunked", "chunked" + control, "chun" + control + "ked"} {
			vectors = append(vectors, vector{name: value, raw: with("Content-Length: 43", "Transfer-Encoding: "+value) + "0\r\n\r\n" + smuggled, want: isRefused})
		}
		vectors = append(vectors, vector{name: control + " before the colon", raw: with("Transfer-Encoding"+control+": chunked") + "0\r\n\r\n", want: isRefused})
	}
	readVectors(t, cveModes, vectors)
}

// A bare LF ended the line of a chunk's size, where others took it for part of the chunk's
// extension.
func TestCVE_2025_22871_BareLFInChunkedBody(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "size", raw: inChunks("1\nX\r\n0\r\n\r\n"), want: isBroken},
		{name: "extension", raw: inChunks("1;a\nX\r\n0\r\n\r\n"), want: isBroken},
		{name: "last size", raw: inChunks("1\r\nX\r\n0\n\r\n"), want: isBroken},
		{name: "end of data", raw: inChunks("1\r\nX\n0\r\n\r\n"), want: isBroken},
		{name: "hidden request", raw: inChunks("2;\nxx\r\n2b\r\n0\r\n\r\n" + smuggled + "\r\n0\r\n\r\n"), want: isBroken},
		{name: "CR before size's CRLF", raw: inChunks("1\r\r\nX\r\n0\r\n\r\n"), want: isBroken},
	})
	// Net/http accepts other ends of the trailer too.
	readVectors(t, cveOurModes, []vector{
		{name: "trailer line", raw: inChunks("1\r\nX\r\n0\r\nA: b\n\r\n"), want: isBroken},
		{name: "end of trailer", raw: inChunks("1\r\nX\r\n0\r\n\n"), want: isBroken},
	})
}

// An empty Content-Length counted as 0, where others refuse it or look for another one.
func TestGolang61679_EmptyContentLength(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "empty", raw: with("Content-Length:") + smuggled, want: isRefused},
		{name: "space", raw: with("Content-Length: ") + smuggled, want: isRefused},
		{name: "tab", raw: with("Content-Length:\t") + smuggled, want: isRefused},
		{name: "empty beside one", raw: with("Content-Length:", "Content-Length: 38") + smuggled, want: isRefused},
		{name: "one beside empty", raw: with("Content-Length: 38", "Content-Length: ") + smuggled, want: isRefused},
		{name: "empty beside chunked", raw: with("Content-Length:", "Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused},
	})
}

// An empty chunk size counted as 0, the end of the body.
func TestGolang64517_EmptyChunkSize(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "empty", raw: inChunks("\r\n\r\n" + smuggled), want: isBroken},
		{name: "only an extension", raw: inChunks(";a=b\r\n\r\n" + smuggled), want: isBroken},
		{name: "blank", raw: inChunks(" \r\n\r\n" + smuggled), want: isBroken},
		{name: "after a chunk", raw: inChunks("3\r\nabc\r\n\r\n\r\n" + smuggled), want: isBroken},
	})
}

// A header field with an empty name was accepted.
func TestGolang65244_EmptyHeaderName(t *testing.T) {
	parallel(t)
	readVectors(t, cveModes, []vector{
		{name: "value", raw: with(": b"), want: isRefused},
		{name: "nothing", raw: with(":"), want: isRefused},
		{name: "colons", raw: with("::"), want: isRefused},
		{name: "blank name", raw: with("X: a", " : b"), want: isRefused | isWhole}, // continues X
		{name: "length", raw: with(": 4", "Content-Length: 38") + smuggled, want: isRefused},
		{name: "first", raw: "GET / HTTP/1.1\r\n: b\r\nHost: test\r\n\r\n", want: isRefused},
	})
}

// A header value that was folded, or cut by a control character, looked like one header to some
// parsers and like two to others.
func TestGolang53188_HeaderCutByControl(t *testing.T) {
	parallel(t)
	var vectors []vector
	for _, cut := range []string{"\r", "\x00", "\v", "\f"} {
		vectors = append(vectors, vector{name: cut, raw: with("X: a"+cut+"Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused})
		vectors = append(vectors, vector{name: cut + " in front", raw: with("X: a", cut+"Transfer-Encoding: chunked") + "0\r\n\r\n", want: isRefused})
	}
	readVectors(t, cveModes, vectors)
}
