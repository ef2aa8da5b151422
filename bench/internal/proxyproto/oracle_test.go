package proxyproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strings"
	"testing"

	oracle "github.com/pires/go-proxyproto"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// limit is the maximum length of the rest of a version 2 header in the oracle.
const limit = 4096

// ask returns what the oracle says about b, in the form of a proxyproto.Header.
func ask(b []byte) (h proxyproto.Header, err error) {
	r := bytes.NewReader(b)
	br := bufio.NewReaderSize(r, 1<<17)
	x, err := oracle.Read(br)
	if err != nil {
		return h, err
	}
	h.Len = len(b) - r.Len() - br.Buffered()
	if x.Command.IsProxy() {
		h.Source, h.Destination = x.SourceAddr, x.DestinationAddr
	}
	return h, nil
}

// compare fails the test if the two parsers differ about b in another way than is documented.
func compare(t *testing.T, b []byte) {
	t.Helper()
	got, err := proxyproto.Parse(b, 16+limit)
	want, oracleErr := ask(b)
	switch {
	case err == proxyproto.ErrIncomplete && oracleErr == nil:
		t.Fatalf("%q is incomplete, and for the oracle %+v", b, want)
	case err != nil && oracleErr == nil && !stricter(b):
		t.Fatalf("%q: %v, and for the oracle %+v", b, err, want)
	case err == nil && oracleErr != nil && !laxer(b):
		t.Fatalf("%q is %+v, and for the oracle %v", b, got, oracleErr)
	case err != nil || oracleErr != nil:
		return
	}
	if got.Len != want.Len || text(got.Source) != text(want.Source) || text(got.Destination) != text(want.Destination) {
		t.Fatalf("%q is %+v, and for the oracle %+v", b, got, want)
	}
}

// text returns an address without the differences between the two: names of Unix sockets that do
// not begin with a slash.
func text(a net.Addr) string {
	switch a := a.(type) {
	case nil:
		return ""
	case *net.UnixAddr:
		if !strings.HasPrefix(a.Name, "/") {
			return "unix"
		}
	}
	return a.String()
}

// stricter reports whether b is a header that the oracle accepts although it does not follow the
// format.
func stricter(b []byte) bool {
	if b[0] == 'P' {
		return false
	}
	// A family without addresses that the oracle knows, or TLVs.
	addrs, known := map[byte]int{0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}[b[13]]
	if !known {
		return true
	}
	h := b[:16+int(binary.BigEndian.Uint16(b[14:]))]
	for at := 16 + addrs; at < len(h); {
		if len(h)-at < 3 {
			return true
		}
		n := int(binary.BigEndian.Uint16(h[at+1:]))
		if h[at] == 3 || n > len(h)-at-3 {
			return true
		}
		at += 3 + n
	}
	return false
}

// laxer reports whether b is a header that the oracle rejects although a receiver may accept it:
// one of version 2 whose addresses have to be ignored.
func laxer(b []byte) bool { return b[0] == '\r' && (b[12] == 0x20 || b[13] == 0) }

func v2(command, family byte, rest []byte) []byte {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(rest))), rest...)
}

func TestVersion1IsThatOfTheOracle(t *testing.T) {
	addrs := []string{"192.0.2.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "01.2.3.4", "::1", "::", "2001:db8::ffff", "::ffff:192.0.2.1", "::ffff:1.2.3", "fe80::1%lo", "[::1]", "", "x", "1:2:3:4:5:6:7:8:9"}
	ports := []string{"0", "1", "65535", "65536", "-1", "+1", "01", "", "0x1", "99999999999999999999"}
	n := 0
	for _, protocol := range []string{"TCP4", "TCP6", "UNKNOWN", "UDP4", "tcp4", ""} {
		for _, from := range addrs {
			for _, to := range addrs {
				for _, port := range ports {
					for _, end := range []string{"\r\n", "\n", " \r\n", "\r\nGET / HTTP/1.1\r\n", " x\r\n", ""} {
						n++
						compare(t, fmt.Appendf(nil, "PROXY %s %s %s %s 443%s", protocol, from, to, port, end))
					}
				}
			}
		}
	}
	t.Logf("compared %d headers", n)
	for _, s := range []string{"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY  TCP4\r\n", "PROXY\r\n", "PROXY \r\n", "PROXYTCP4 \r\n", "PROXY TCP4\r\n", "GET / HTTP/1.1\r\n\r\n"} {
		compare(t, []byte(s))
	}
	for n := range 120 {
		compare(t, []byte("PROXY UNKNOWN "+strings.Repeat("x", n)+"\r\n"))
	}
}

func TestVersion2IsThatOfTheOracle(t *testing.T) {
	rest := bytes.Repeat([]byte("/a\x04\x00\x01b"), 1000)
	lengths := []int{0, 1, 11, 12, 13, 15, 16, 35, 36, 39, 40, 215, 216, 219, 220, 520, limit - 1, limit, limit + 1, 5000}
	n := 0
	for command := range 256 {
		for family := range 256 {
			for _, length := range lengths {
				if length != 12 && command&^1 != 0x20 {
					continue
				}
				n++
				compare(t, v2(byte(command), byte(family), rest[:length]))
			}
		}
	}
	t.Logf("compared %d headers", n)
}

func TestTLVsAreThoseOfTheOracle(t *testing.T) {
	addr := []byte("\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb")
	for n := range 300 {
		tlv := append(binary.BigEndian.AppendUint16([]byte{4}, uint16(n)), make([]byte, n)...)
		compare(t, v2(0x21, 0x11, append(bytes.Clone(addr), tlv...)))
	}
	b := v2(0x21, 0x11, append(bytes.Clone(addr), "\x03\x00\x04\x00\x00\x00\x00"...))
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	compare(t, b)
	if _, err := proxyproto.Parse(b, 536); err != nil {
		t.Errorf("with a checksum: %v", err)
	}
	b[len(b)-1]++
	if _, err := proxyproto.Parse(b, 536); !errors.Is(err, proxyproto.ErrMalformed) {
		t.Errorf("with a wrong checksum: %v", err)
	}
}

func TestHeadersOfTheOracleAreRead(t *testing.T) {
	for _, a := range [][2]net.Addr{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2}},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("2001:db8::2"), Port: 2}},
		{&net.UnixAddr{Name: "/a", Net: "unix"}, &net.UnixAddr{Name: "/b", Net: "unix"}},
	} {
		for version := range byte(3) {
			if _, unix := a[0].(*net.UnixAddr); unix && version == 1 {
				continue
			}
			b, err := oracle.HeaderProxyFromAddrs(version, a[0], a[1]).Format()
			if err != nil {
				t.Fatal(err)
			}
			h, err := proxyproto.Parse(b, 536)
			if err != nil || h.Source.String() != a[0].String() || h.Destination.String() != a[1].String() || h.Len != len(b) {
				t.Errorf("%q is %+v, %v", b, h, err)
			}
		}
	}
}

func FuzzOracle(f *testing.F) {
	for _, b := range [][]byte{
		[]byte("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET"), []byte("PROXY TCP6 ::1 ::2 1 2\r\n"), []byte("PROXY UNKNOWN\r\n"),
		v2(0x21, 0x11, make([]byte, 12)), v2(0x20, 0, nil), v2(0x21, 0x21, make([]byte, 39)), v2(0x21, 0x31, make([]byte, 216)),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { compare(t, b) })
}
