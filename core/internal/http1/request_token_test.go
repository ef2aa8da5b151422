package http1

import (
	"bytes"
	"net/http"
	"testing"
)

func TestValidValueLooksAtEachByte(t *testing.T) {
	for n := range 20 {
		for i := range n {
			for c := range 256 {
				b := bytes.Repeat([]byte("a"), n)
				b[i] = byte(c)
				if got, want := validValue(b), all(b, charValue); got != want {
					t.Fatalf("%q: %v, want %v", b, got, want)
				}
				if n > 8 && i+1 < n {
					b[i+1] = 0xff // a borrow from one byte must not hide another
					if got, want := validValue(b), all(b, charValue); got != want {
						t.Fatalf("%q: %v, want %v", b, got, want)
					}
				}
			}
		}
	}
}

func TestKnownNamesAreCanonical(t *testing.T) {
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Length", "Content-Type",
		"Cookie", "Host", "If-None-Match", "Origin", "Referer", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto",
	} {
		if got := knownName([]byte(name)); got != name || got != http.CanonicalHeaderKey(name) {
			t.Errorf("knownName(%q) = %q", name, got)
		}
		for _, other := range []string{"", name[1:], name + "-", "x" + name[1:]} {
			if got := knownName([]byte(other)); got != "" {
				t.Errorf("knownName(%q) = %q", other, got)
			}
		}
	}
}
