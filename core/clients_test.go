package recycling_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// otherClients are programs that must read what the server sends as [http.ReadResponse] does.
// Programs that are not installed are skipped. curl must be 7.75 or newer, Node 14, Python 3.6.
var otherClients = []struct {
	name string
	read func(t *testing.T, s *replay) []*readout
}{
	{"go", readWithGo},
	{"curl", readWithCurl},
	{"node", func(t *testing.T, s *replay) []*readout {
		return readWithScript(t, s, "read.js", "node", "-e", "require('node:http')")
	}},
	{"python3", func(t *testing.T, s *replay) []*readout {
		return readWithScript(t, s, "read.py", "python3", "-c", "import http.client")
	}},
}

// unlike is what a client reads differently from [http.ReadResponse], although the response is
// valid.
var unlike = []struct {
	client, why string
	is          func(e *exchange, got *readout) bool
}{
	{
		"curl", "it calls a reply empty if the connection ends right after status 101",
		func(e *exchange, got *readout) bool {
			return e.want.Status == 101 && got.Status == 101 && got.Error == "truncated"
		},
	},
	{
		"python3", "it takes an informational response for the final one, unless it is 100",
		func(e *exchange, got *readout) bool {
			i := slices.IndexFunc(e.want.Informational, func(status int) bool { return status != 100 })
			return i >= 0 && got.Status == e.want.Informational[i] && got.Error == ""
		},
	},
	{
		"node", "it takes an answer to CONNECT for the beginning of a tunnel, refused or not, and leaves chunks as they are",
		func(e *exchange, got *readout) bool {
			return e.method == "CONNECT" && got.Status == e.want.Status && got.Error == "" && bytes.Contains(e.raw, []byte("\r\nTransfer-Encoding: chunked\r\n"))
		},
	},
}

// TestClientsReadEveryResponse records all responses of the server in the behaviour suite, and has
// them read by programs that share nothing with it but the protocol.
func TestClientsReadEveryResponse(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("runs the behaviour suite once more")
	}
	all := recordSuite(t)
	damaged := damageSome(t, all)
	for _, client := range otherClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			s := newReplay(t, slices.Concat(all, damaged))
			got := client.read(t, s)
			if len(got) != len(s.all) {
				t.Fatalf("read %d responses, want %d", len(got), len(s.all))
			}
			excused := make(map[string]int)
			for i, e := range all {
				diff := e.want.differs(got[i], client.name)
				if diff == "" {
					continue
				}
				if why := excuse(client.name, e, got[i]); why != "" {
					excused[why]++
					continue
				}
				t.Errorf("%s %.500q: %s", e.method, e.raw, diff)
			}
			for why, n := range excused {
				t.Logf("%d read otherwise: %s", n, why)
			}
			for i, e := range damaged {
				if e.want.differs(got[len(all)+i], client.name) == "" {
					t.Errorf("has not noticed: %s: %q", e.damage, e.raw)
				}
			}
			t.Logf("%d responses on %d connections", len(got), s.connections())
			if s.connections() >= len(got) {
				t.Errorf("no connection was used again")
			}
		})
	}
}

// excuse returns why client may read e as got.
func excuse(client string, e *exchange, got *readout) string {
	for _, u := range unlike {
		if u.client == client && u.is(e, got) {
			return u.why
		}
	}
	return ""
}

// damageSome returns responses that a client must not read as they were sent: see exchange.damage.
func damageSome(t *testing.T, all []*exchange) (damaged []*exchange) {
	is := func(encoding string) (short *exchange) {
		for _, e := range all {
			if e.method == http.MethodGet && e.framed && e.want.Status == 200 && e.want.Version == "1.1" && e.want.Length > 1 &&
				len(e.want.Informational) == 0 && bytes.Contains(e.raw, []byte(encoding)) && bytes.Contains(e.raw, []byte("\r\n\r\n")) &&
				(short == nil || len(e.raw) < len(short.raw)) {
				short = e
			}
		}
		return short
	}
	sized, chunked := is("\r\nContent-Length: "), is("\r\nTransfer-Encoding: chunked\r\n")
	if sized == nil || chunked == nil {
		t.Error("the plainest responses are missing")
		return nil
	}
	with := func(e *exchange, name string, raw string) {
		if raw == string(e.raw) {
			t.Fatalf("%s has changed nothing in %q", name, raw)
		}
		damaged = append(damaged, &exchange{method: e.method, raw: []byte(raw), want: e.want, damage: name})
	}
	text, body, _ := strings.Cut(string(sized.raw), "\r\n\r\n")
	length := fmt.Sprintf("Content-Length: %d", sized.want.Length)
	for _, d := range []int{-1, 1} {
		with(sized, fmt.Sprintf("length wrong by %d", d), strings.Replace(text, length, fmt.Sprintf("Content-Length: %d", sized.want.Length+d), 1)+"\r\n\r\n"+body)
	}
	with(sized, "body cut", text+"\r\n\r\n"+body[1:])
	with(sized, "body changed", text+"\r\n\r\n"+string([]byte{body[0] ^ 1})+body[1:])
	with(sized, "field lost", dateField.ReplaceAllString(string(sized.raw), ""))
	with(sized, "field changed", strings.Replace(string(sized.raw), "\r\nDate: ", "\r\nDate: x", 1))
	with(sized, "status changed", strings.Replace(string(sized.raw), " 200 ", " 201 ", 1))
	with(sized, "header without end", text)

	text, body, _ = strings.Cut(string(chunked.raw), "\r\n\r\n")
	with(chunked, "last chunk missing", strings.TrimSuffix(string(chunked.raw), "0\r\n\r\n"))
	with(chunked, "chunk cut", text+"\r\n\r\n"+body[:strings.Index(body, "\r\n")+3])
	with(chunked, "chunk without size", text+"\r\n\r\nx"+body)
	with(chunked, "chunk too long", text+"\r\n\r\n1"+body)
	with(chunked, "chunk data too long", text+"\r\n\r\n"+strings.Replace(body, "\r\n", "\r\nx", 1))
	return damaged
}
