package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// v2 returns a header of version 2.
func v2(command, family byte, rest string) string {
	return v2Signature + string(binary.BigEndian.AppendUint16([]byte{command, family}, uint16(len(rest)))) + rest
}

const (
	inet  = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	inet6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\xff\xff"
)

// path returns the address of a Unix socket.
func path(s string) string { return s + strings.Repeat("\x00", unixLen/2-len(s)) }

// withChecksum returns a header whose TLVs begin with its checksum.
func withChecksum(tlvs string) string {
	h := []byte(v2(0x21, 0x11, inet+"\x03\x00\x04\x00\x00\x00\x00"+tlvs))
	binary.BigEndian.PutUint32(h[v2Fixed+inetLen+3:], crc32.Checksum(h, castagnoli))
	return string(h)
}

func TestParse(t *testing.T) {
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n":            "192.0.2.1:56324 198.51.100.1:443",
		"PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n":             "255.255.255.255:0 0.0.0.0:65535",
		"PROXY TCP6 2001:db8::1 ::1 1 2\r\n":                         "[2001:db8::1]:1 [::1]:2",
		"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n":       "192.0.2.1:1 192.0.2.2:2",
		"PROXY UNKNOWN\r\n":                                          "own",
		"PROXY UNKNOWN \r\n":                                         "own",
		"PROXY UNKNOWN" + strings.Repeat(" x", 46) + "\r\n":          "own",
		v2(0x21, 0x11, inet):                                         "192.0.2.1:56324 198.51.100.1:443",
		v2(0x21, 0x12, inet):                                         "192.0.2.1:56324 198.51.100.1:443",
		v2(0x21, 0x21, inet6):                                        "[2001:db8::1]:1 [2001:db8::2]:65535",
		v2(0x21, 0x22, inet6):                                        "[2001:db8::1]:1 [2001:db8::2]:65535",
		v2(0x21, 0x31, path("/client")+path("/server")):              "/client /server",
		v2(0x21, 0x32, path("\x00abstract")+path("")):                "@abstract @",
		v2(0x21, 0x31, strings.Repeat("/", unixLen)):                 strings.Repeat("/", unixLen/2) + " " + strings.Repeat("/", unixLen/2),
		v2(0x21, 0x31, path("192.0.2.1:80")+path("")):                "./192.0.2.1:80 @",
		v2(0x21, 0x11, inet+"\x04\x00\x00\xee\x00\x03abc"):           "192.0.2.1:56324 198.51.100.1:443",
		withChecksum(""):                                             "192.0.2.1:56324 198.51.100.1:443",
		withChecksum("\x04\x00\x04noop"):                             "192.0.2.1:56324 198.51.100.1:443",
		v2(0x20, 0x00, ""):                                           "own",
		v2(0x20, 0x11, inet):                                         "own",
		v2(0x20, 0xff, "whatever"):                                   "own",
		v2(0x21, 0x00, ""):                                           "own",
		v2(0x21, 0x00, "whatever"):                                   "own",
		v2(0x21, 0x11, inet+"\x04\x01\xf9"+strings.Repeat("x", 505)): "192.0.2.1:56324 198.51.100.1:443",
	} {
		h, err := Parse([]byte(header+"GET / HTTP/1.1\r\n"), leastMaxHeader)
		got := "own"
		if h.Source != nil {
			got = fmt.Sprint(h.Source, " ", h.Destination)
		}
		if got != want || err != nil || h.Len != len(header) {
			t.Errorf("%q: %s, %v, length %d; want %s, length %d", header, got, err, h.Len, want, len(header))
		}
		for i := range len(header) {
			if _, err := Parse([]byte(header[:i]), leastMaxHeader); err != ErrIncomplete {
				t.Errorf("%q: %v, want %v", header[:i], err, ErrIncomplete)
			}
			if n := Missing([]byte(header[:i])); n != 0 && i+n != len(header) {
				t.Errorf("%q: %d bytes are missing, want %d", header[:i], n, len(header)-i)
			}
		}
	}
}

func TestParseRejects(t *testing.T) {
	sum := []byte(withChecksum("\x04\x00\x04noop"))
	sum[len(sum)-1]++
	for header, want := range map[string]error{
		"GET / HTTP/1.1\r\n":     ErrNoHeader,
		"\x16\x03":               ErrNoHeader,
		"PROXX":                  ErrNoHeader,
		"proxy ":                 ErrNoHeader,
		"\r\n\r\n\x00\r\nQUIT\r": ErrNoHeader,
		"PROXY \r\n":             ErrMalformed,
		"PROXY TCP4\r\n":         ErrMalformed,
		"PROXY \n":               ErrMalformed,
		"PROXY UNKNOWN\n":        ErrMalformed,
		"PROXY UNKNOWN \r \r\n":  ErrMalformed,
		"PROXY UNKNOWNX\r\n":     ErrMalformed,
		"PROXY UNKNOWN " + strings.Repeat("x", 93):                         ErrMalformed,
		"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n":                           ErrMalformed,
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n":                          ErrMalformed,
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n":                          ErrMalformed,
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n":                       ErrMalformed,
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n":                          ErrMalformed,
		"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n":                          ErrMalformed,
		"PROXY TCP4 ::1 ::1 1 2\r\n":                                       ErrMalformed,
		"PROXY TCP6 ::1 192.0.2.1 1 2\r\n":                                 ErrMalformed,
		"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n":                              ErrMalformed,
		v2Signature + "\x11":                                               ErrMalformed,
		v2Signature + "\x2f":                                               ErrMalformed,
		v2(0x21, 0x10, inet):                                               ErrMalformed,
		v2(0x21, 0x13, inet):                                               ErrMalformed,
		v2(0x21, 0x41, inet):                                               ErrMalformed,
		v2(0x21, 0x01, inet):                                               ErrMalformed,
		v2(0x21, 0x11, inet[:11])[:16]:                                     ErrMalformed,
		v2(0x21, 0x21, inet6[:35])[:16]:                                    ErrMalformed,
		v2(0x21, 0x31, path("")+path("")[:107])[:16]:                       ErrMalformed,
		v2(0x21, 0x11, inet+"\x04"):                                        ErrMalformed,
		v2(0x21, 0x11, inet+"\x04\x00\x01"):                                ErrMalformed,
		v2(0x21, 0x11, inet+"\x04\xff\xff"):                                ErrMalformed,
		v2(0x21, 0x11, inet+"\x03\x00\x03abc"):                             ErrMalformed,
		string(sum):                                                        ErrMalformed,
		withChecksum("\x03\x00\x04abcd"):                                   ErrMalformed,
		v2(0x20, 0x00, strings.Repeat("x", leastMaxHeader-v2Fixed+1))[:16]: ErrMalformed,
		v2(0x21, 0x00, strings.Repeat("x", 65535))[:16]:                    ErrMalformed,
	} {
		if _, err := Parse([]byte(header), leastMaxHeader); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", header, err, want)
		}
	}
}

// FuzzParse checks that the result does not depend on how the bytes arrive, nor on what follows.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET", "PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY UNKNOWN x\r\n", "GET /",
		v2(0x21, 0x11, inet), v2(0x20, 0x00, ""), v2(0x21, 0x21, inet6+"\x04\x00\x01x"), v2(0x21, 0x31, path("/a")+path("b")), withChecksum("\x04\x00\x00"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1000
		h, err := Parse(b, limit)
		switch {
		case err == nil && (h.Len < 15 || h.Len > limit || h.Len > len(b) || (h.Source == nil) != (h.Destination == nil)):
			t.Fatalf("%q: %+v", b, h)
		case err != nil && h != Header{}:
			t.Fatalf("%q: %+v with %v", b, h, err)
		case err == ErrIncomplete && len(b) >= limit:
			t.Fatalf("%q is incomplete", b)
		}
		for i := range min(len(b), limit+1) {
			part, perr := Parse(b[:i], limit)
			switch {
			case perr == ErrIncomplete:
				if n := Missing(b[:i]); n > 0 && err == nil && i+n != h.Len {
					t.Fatalf("%q: %d bytes are missing after %d, want %d", b, n, i, h.Len)
				}
			case perr == nil:
				if err != nil || i < h.Len || part.Len != h.Len || fmt.Sprint(part.Source, part.Destination) != fmt.Sprint(h.Source, h.Destination) {
					t.Fatalf("%q: after %d bytes %+v, then %+v, %v", b, i, part, h, err)
				}
			case err == nil || errors.Is(perr, ErrMalformed) != errors.Is(err, ErrMalformed):
				t.Fatalf("%q: after %d bytes %v, then %v", b, i, perr, err)
			}
		}
	})
}
