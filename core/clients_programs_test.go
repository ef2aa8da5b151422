package recycling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ---- clients ----

func readWithGo(t *testing.T, s *replay) (got []*readout) {
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	for i, e := range s.all {
		got = append(got, readOneWithGo(t, tr, fmt.Sprintf("http://%v/%d", s.Addr(), i), e))
	}
	return got
}

func readOneWithGo(t *testing.T, tr *http.Transport, url string, e *exchange) *readout {
	r := &readout{Informational: []int{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			r.Informational = append(r.Informational, code)
			return nil
		},
	}), e.method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = e.damage != "" || !e.framed // Transport logs unexpected bytes; the replay closes
	resp, err := tr.RoundTrip(req)
	if err != nil {
		r.fail(err)
		return r
	}
	defer resp.Body.Close()
	r.Status, r.Version = resp.StatusCode, fmt.Sprintf("%d.%d", resp.ProtoMajor, resp.ProtoMinor)
	_, r.Reason, _ = strings.Cut(latin1(resp.Status), " ")
	r.Header = goFields(resp.Header)
	for _, coding := range resp.TransferEncoding { // it is not in the header
		r.Header = append(r.Header, [2]string{"Transfer-Encoding", coding})
	}
	r.body(resp.Body)
	r.Trailer = goFields(resp.Trailer)
	return r
}

// readWithCurl has curl write header and body of every response to files, and its result to its
// output.
func readWithCurl(t *testing.T, s *replay) []*readout {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	dir := t.TempDir()
	var config bytes.Buffer
	for i, e := range s.all {
		method := "request = " + e.method
		if e.method == http.MethodHead {
			method = "head"
		}
		if i > 0 {
			config.WriteString("next\n")
		}
		fmt.Fprintf(&config, "url = http://%v/%d\n%s\nhttp1.1\nsilent\nnoproxy = *\nmax-time = 10\n", s.Addr(), i, method)
		fmt.Fprintf(&config, "dump-header = %d.head\noutput = %d.body\n", i, i)
		config.WriteString(`write-out = "%{exitcode} %{http_code} %{size_download}\n"` + "\n")
	}
	out, err := output(t, dir, &config, "curl", "--disable", "--config", "-")
	var exit *exec.ExitError // of the last response
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var got []*readout
	for line := range strings.Lines(string(out)) {
		var code, status, downloaded int
		if _, err := fmt.Sscan(line, &code, &status, &downloaded); err != nil || len(got) == len(s.all) {
			t.Fatalf("curl says %q: %v", line, err)
		}
		r := &readout{Informational: []int{}, Trailer: [][2]string{}}
		name := filepath.Join(dir, strconv.Itoa(len(got)))
		r.curlHead(fileIfThere(t, name+".head"))
		body := fileIfThere(t, name+".body")
		if s.all[len(got)].method == http.MethodHead {
			body = nil // curl writes the header there
		}
		r.body(bytes.NewReader(body))
		switch {
		case code == 18 || code == 52: // partial file; empty reply
			r.Error = "truncated"
		case code != 0:
			r.Error = fmt.Sprintf("exit code %d", code)
		case status != r.Status || downloaded != r.Length:
			r.Error = fmt.Sprintf("status %d, %d bytes of body: not what it has written", status, downloaded)
		}
		got = append(got, r)
	}
	return got
}

// curlHead sets the fields from what curl takes for headers: the informational ones, that of the
// response, and the trailer.
func (r *readout) curlHead(raw []byte) {
	for part := range strings.SplitSeq(string(raw), "\r\n\r\n") {
		if !strings.HasPrefix(part, "HTTP/") {
			r.Trailer = append(r.Trailer, fieldLines(part)...)
			continue
		}
		if r.Status != 0 {
			r.Informational = append(r.Informational, r.Status)
		}
		r.head(part)
	}
}

func fileIfThere(t *testing.T, name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return b
}

// readWithScript runs a script of testdata/clients with a program, if the program can run test
// given flag.
func readWithScript(t *testing.T, s *replay, script, program, flag, test string) (got []*readout) {
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
	if _, err := output(t, "", nil, program, flag, test); err != nil {
		t.Skipf("%s does not work: %v", program, err)
	}
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var numbers bytes.Buffer
	for i, e := range s.all {
		fmt.Fprintf(&numbers, "%d %s\n", i, e.method)
	}
	out, err := output(t, filepath.Join("testdata", "clients"), &numbers, program, script, host, port)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		r := new(readout)
		if err := json.Unmarshal(line, r); err != nil {
			t.Fatalf("%s says %q: %v", program, line, err)
		}
		if r.Number != len(got) {
			t.Fatalf("%s says %d out of turn", program, r.Number)
		}
		got = append(got, r)
	}
	return got
}

// output runs a program and returns its output.
func output(t *testing.T, dir string, in io.Reader, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var trouble bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr, cmd.WaitDelay = dir, in, &trouble, patience
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w %s", program, err, &trouble)
	}
	return out, err
}
