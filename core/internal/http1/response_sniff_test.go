package http1

import (
	"bytes"
	"net/http"
	"testing"
)

// The beginnings of what http.DetectContentType knows, of texts, and of texts that are not.
var sniffed = []string{
	"", "Hey!", "ok", `{"a":1}`, `["x"]`, "(a)", "# title", "-", "/path", "'x'", "0123", "a\x00b", "a\x01", "a\x1bb", "a\x0eb", "\u00e4", "aä",
	"<!DOCTYPE HTML>", " <HTML ", "\n<?xml ", "%PDF-", "%!PS-Adobe-", "\xfe\xff\x00\x00", "\xff\xfe\x00\x00", "\xef\xbb\xbf\x00",
	"\x00\x00\x01\x00", "BM", "GIF87a", "GIF89a", "RIFFxxxxWEBPVP", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff",
	"FORMxxxxAIFF", "ID3", "OggS\x00", "MThd\x00\x00\x00\x06", "RIFFxxxxAVI ", "RIFFxxxxWAVE", "\x1a\x45\xdf\xa3",
	"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00", "0000ftypmp42xxxxmp41", "abcdftypisom", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaLP", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaL",
	"\x00\x01\x00\x00", "OTTO", "ttcf", "wOFF", "wOF2", "\x1f\x8b\x08", "PK\x03\x04", "Rar!\x1a\x07\x00", "Rar!\x1a\x07\x01\x00", "\x00asm",
}

func TestContentTypeIsThatOfNetHTTP(t *testing.T) {
	check := func(b []byte) {
		if got, want := contentType(b), http.DetectContentType(b); got != want {
			t.Fatalf("%q: %s, want %s", b, got, want)
		}
	}
	for _, s := range sniffed {
		check([]byte(s))
		check([]byte(s + "text after it"))
		check([]byte("text before it " + s))
	}
	// Every byte at the beginning, and later, of texts of every length up to the limit and beyond.
	for n := range sniffLen + 2 {
		b := bytes.Repeat([]byte("a"), n)
		check(b)
		check(append(b, 0))
		for c := range 256 {
			if n < 40 || n > sniffLen-2 {
				check(append(append([]byte{byte(c)}, b...), " and more"...))
				check(append(b, byte(c)))
			}
		}
	}
}

func FuzzContentType(f *testing.F) {
	for _, s := range sniffed {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := contentType(b), http.DetectContentType(b); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
