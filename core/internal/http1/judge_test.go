package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// compareServers serves one connection three times: twice with the engine, once with net/http.
func compareServers(t *testing.T, input, cuts []byte) {
	w := NewWorker(&Server{HTTP: &http.Server{ErrorLog: quiet, DisableGeneralOptionsHandler: true}})
	got := serveInput(w, input, cuts)
	// Use the same Worker, which must not retain anything of the first connection.
	if whole := serveInput(w, input, nil); !reflect.DeepEqual(got, whole) {
		t.Errorf("%q\nin reads of %v: %v\nin one read: %v", input, cuts, got, whole)
		return
	}
	j := judge(input, got.seen)
	want := netServeInput(j.input)
	if complaint := j.compare(got, want); complaint != "" && !j.loose {
		t.Errorf("%s\ninput %q\ncut   %v\nto net/http %q\ngot  %+v\nwant %+v", complaint, input, cuts, j.input, got, want)
	}
}

// A judgment says how the engine must differ from net/http on some input.
type judgment struct {
	input    []byte // what net/http would have to receive to behave the same
	rest     []byte // the part of input after the last request that the handler saw
	last     int    // the last request that the handler saw
	odd      oddity // of the last request
	lastPOST bool   // the method of the last request is POST
	loose    bool   // the outcome is undetermined: see loose
	faulty   bool   // a request that the handler saw should have been rejected
}

// An oddity is a reason, not known to net/http, why a request is the last of its connection.
type oddity int

const (
	ordinary oddity = iota
	cut             // the input ends within the body, which has a declared length
	broken          // the body violates the grammar, which net/http may not notice
	twofold         // both Transfer-Encoding and Content-Length
	unwished        // HTTP/1.0 with both close and keep-alive in Connection
)

// judge walks through the input along the requests that the engine's handler saw. If these are
// wrong, the comparison will fail.
func judge(input []byte, requests []seen) *judgment {
	j := &judgment{input: bytes.Clone(input)}
	pos := 0
	for i, r := range requests {
		j.dropEmptyLines(pos)
		j.last, j.lastPOST = i, r.Method == "POST"
		if j.loose = loose(r.Proto, r.Header) || r.mayBeWhole() && r.Header["Expect"] != nil; j.loose {
			return j
		}
		if pos = j.walk(pos, r); j.odd > cut {
			return j
		}
	}
	j.dropEmptyLines(pos)
	j.rest = j.input[pos:]
	_, h, _ := splitBlock(header.FindString(string(j.rest)))
	j.loose = loose("", h) || endsUnseen(j.rest)
	return j
}

// endsUnseen reports whether rest is an incomplete first line that exactly fills net/http's buffer.
// Net/http then closes the connection without a response. After any other incomplete first line it
// sends 400.
func endsUnseen(rest []byte) bool {
	const buffer = 4 << 10
	return len(rest) > 0 && len(rest)%buffer == 0 && bytes.IndexByte(rest, '\n') < 0
}

// walk returns the end of r, which begins at pos. If r has to be the last request, walk changes the
// input so that net/http treats it as the last, too.
func (j *judgment) walk(pos int, r seen) (end int) {
	block := header.Find(j.input[pos:])
	body := pos + len(block)
	v := r.Header["Connection"]
	j.faulty = j.faulty || refusable(string(block))
	switch {
	case len(r.TransferEncoding) > 0:
		n, fault := chunkedLen(j.input[body:])
		end = body + n
		if fault {
			j.odd = broken
		} else if lengthField.Match(block) {
			j.odd = twofold
			j.input = slices.Insert(j.input[:end], body-len(emptyLine.Find(block)), []byte("Connection: close\r\n")...)
		}
	default:
		left := int64(len(j.input) - body)
		end = body + int(min(left, max(r.ContentLength, 0)))
		if left < r.ContentLength {
			j.odd = cut
		}
		if r.Proto == "HTTP/1.0" && inList(v, "close") && inList(v, "keep-alive") {
			j.odd = unwished
			j.input = j.input[:end]
			for keepAlive.Match(block) {
				copy(block, keepAlive.ReplaceAll(block, []byte("${1}keep-alivX")))
			}
		}
	}
	return end
}

// dropEmptyLines removes empty lines at pos from the input.
func (j *judgment) dropEmptyLines(pos int) {
	n := len(emptyLines.Find(j.input[pos:]))
	j.input = append(j.input[:pos], j.input[pos+n:]...)
}

// compare returns what is wrong, or "" if nothing is.
func (j *judgment) compare(got, want session) string {
	switch {
	case len(want.seen) < len(got.seen):
		return "a request that is none"
	case j.faulty:
		return "a request that net/http accepts, and the engine should not"
	}
	for i := range got.seen {
		g, w := got.seen[i], want.seen[i]
		if i == j.last {
			if complaint := j.odd.excuse(&g, &w); complaint != "" {
				return complaint
			}
		}
		if !reflect.DeepEqual(g, w) {
			return "another request"
		}
	}
	switch {
	case j.odd > cut && j.last != len(got.seen)-1:
		return "a request after the last"
	case got.out == want.out && len(got.seen) == len(want.seen):
		return ""
	case j.odd == broken:
		last := got.seen[j.last]
		if got.out[:last.At] == want.out[:last.At] && oneAnswer(got.out[last.At:], last.Method) {
			return ""
		}
	case j.refusable() && len(want.seen) > len(got.seen):
		if at := want.seen[len(got.seen)].At; refusal(got.out, want.out[:at]) {
			return ""
		}
	case j.seemsEmpty() && refusal(got.out, want.out):
		return ""
	case j.refusable():
		// Both reject it, perhaps for different reasons if there are several.
		if at := max(strings.LastIndex(want.out, "HTTP/1.1 "), strings.LastIndex(want.out, "HTTP/1.0 417 ")); at >= 0 && refusal(got.out, want.out[:at]) {
			return ""
		}
	case len(got.seen) < len(want.seen):
		return "a request is lost"
	}
	return "another answer"
}

// excuse removes the permitted differences between got and want.
func (o oddity) excuse(got, want *seen) string {
	switch o {
	case cut:
		if want.Err == "EOF" && !want.Partly {
			// net/http loses the information that it was unexpected.
			want.Err = "unexpected EOF"
		}
	case broken:
		if got.Err == "EOF" && !got.Partly {
			return "a broken body is accepted"
		}
		if !strings.HasPrefix(want.Body, got.Body) && !strings.HasPrefix(got.Body, want.Body) {
			return "another body"
		}
		got.Body, got.Err, got.Trailer = want.Body, want.Err, want.Trailer
	case twofold:
		if v := want.Header["Connection"]; len(v) > 1 {
			want.Header["Connection"] = v[:len(v)-1]
		} else {
			delete(want.Header, "Connection")
		}
		want.Close = inList(want.Header["Connection"], "close")
	case unwished:
		want.Header["Connection"] = got.Header["Connection"]
	}
	return ""
}

// oneAnswer reports whether out is exactly one response, or nothing in case the handler panicked.
func oneAnswer(out, method string) bool {
	if out == "" {
		return true
	}
	r := bufio.NewReader(strings.NewReader(out))
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return false
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		io.Copy(io.Discard, res.Body)
		_, err = r.ReadByte()
		return err == io.EOF
	}
}

// refusal reports whether out consists of before and a 400 response.
func refusal(out, before string) bool {
	out, ok := strings.CutPrefix(out, before)
	for _, text := range []string{"400 Bad Request", "400 Bad Request: malformed Host header"} {
		if ok && out == "HTTP/1.1 "+text+"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+text {
			return true
		}
	}
	return false
}

// seemsEmpty reports whether net/http takes the input after the last request for empty lines, which
// it is not. After a POST, net/http drops up to four characters that are CR or LF.
func (j *judgment) seemsEmpty() bool {
	return j.lastPOST && bytes.HasPrefix(j.rest, []byte("\r")) && len(j.rest) <= 4 && len(bytes.Trim(j.rest, "\r\n")) == 0
}

// refusable reports whether the input after the last request may be rejected, whatever net/http
// does.
func (j *judgment) refusable() bool {
	if j.lastPOST && bytes.HasPrefix(j.rest, []byte("\r")) {
		// After a POST, net/http takes a bare CR for an empty line.
		return true
	}
	return refusable(header.FindString(string(j.rest)))
}
