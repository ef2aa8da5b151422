package recycling_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// strictRows are the rows of the table in the package comment, each with a request that the row is
// about. The two patterns match the response of this server and that of net/http; the connection is
// read to its end.
var strictRows = map[string]struct {
	raw          string
	ours, theirs string
}{
	"RFC 9112 2.2 empty lines before": {"\r\n" + get + closing, `^HTTP/1.1 200`, `^HTTP/1.1 400`},
	"RFC 9112 2.2 a bare CR after":    {with("Content-Length: 3") + "abc\r" + get, `^HTTP/1.1 200(?s:.*)HTTP/1.1 400`, `^HTTP/1.1 200(?s:.*)HTTP/1.1 200`},
	"RFC 9112 3 414, not 431, for":    {"GET /" + strings.Repeat("x", 2<<20) + " HTTP/1.1\r\n\r\n", `^HTTP/1.1 414`, `^HTTP/1.1 431`},
	"RFC 9112 3.2 400 for a Host":     {"GET / HTTP/1.1\r\nHost: a:xyz\r\n\r\n", `^HTTP/1.1 400`, `^HTTP/1.1 200`},
	"RFC 9112 3.2.3, 3.2.4 400 for":   {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", `^HTTP/1.1 400`, `^HTTP/1.1 200`},
	"RFC 9112 5.1 white space in or":  {inChunks("0\r\nX Y: z\r\n\r\n"), `read: malformed trailer`, `read: <nil>`},
	"RFC 9112 6.1 the connection is":  {with("Content-Length: 3", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + get, `^HTTP/1.1 200(?s:[^H]|H[^T])*$`, `HTTP/1.1 200(?s:.*)HTTP/1.1 200`},
	"RFC 9112 6.1 400 for Transfer":   {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", `^HTTP/1.1 400`, `^HTTP/1.0 200`},
	"RFC 9112 6.3 400, not 501":       {with("Transfer-Encoding: chunked, gzip"), `^HTTP/1.1 400`, `^HTTP/1.1 501`},
	"RFC 9112 7.1 a chunk's first":    {inChunks("3;a=\r\nabc\r\n0 \r\n\r\n"), `read: malformed`, `abc read: <nil>`},
	"RFC 9112 8 a truncated body":     {with("Content-Length: 10") + "abc", `abc read: unexpected EOF, then unexpected EOF`, `abc read: unexpected EOF, then EOF`},
	"RFC 9112 9.3 an HTTP/1.0":        {"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n" + get, `^HTTP/1.0 200(?s:[^H]|H[^T])*$`, `HTTP/1.0 200(?s:.*)HTTP/1.1 200`},
	// For this row, see TestLastResponseIsReadable… and the behaviour
	// lastResponseReachesAClientThatIsStillSending.
	"RFC 9112 9.6 when the server":   {},
	"RFC 9110 5.6.1 Connection and":  {"GET / HTTP/1.1\r\nHost: a\r\nExpect: x 100-continue\r\nContent-Length: 3\r\n\r\nabc", `^HTTP/1.1 417`, `^HTTP/1.1 [12]00`},
	"RFC 9110 6.6.1 these error":     {"GET / HTTP/1.1\r\n\r\n", `400 (?s:.*)\r\nDate: `, `400 [^\r]*\r\nContent-Type: [^\r]*\r\nConnection: close\r\n\r\n`},
	"RFC 9110 9.3.6 400 for CONNECT": {"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", `^HTTP/1.1 400`, `^HTTP/1.1 200`},
	"RFC 9110 9.3.6 no Content":      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", `^HTTP/1.1 200 OK\r\nDate: [^\r]*\r\n(Content-Type: [^\r]*\r\n)?(Connection: close\r\n)?\r\n`, lengthOfConnect()},
	"RFC 9110 15.2 an HTTP/1.0":      {"GET /103 HTTP/1.0\r\n\r\n", `^HTTP/1.0 200`, `^HTTP/1.0 103`},
	"RFC 9110 15.3.6 no content":     {"GET /205 HTTP/1.1\r\nHost: a\r\n\r\n", `^HTTP/1.1 205(?s:.*)\r\n\r\n$`, `read: `},
}

// lengthOfConnect is what net/http sends in violation of that row, in versions that do.
func lengthOfConnect() string {
	if gohttp.ConnectHasNoClose {
		return `^HTTP/1.1 200 OK\r\n`
	}
	return `Content-Length: `
}

// closing is a request that closes a connection.
const closing = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

func TestEveryRowOfTheStrictnessTableIsTrue(t *testing.T) {
	parallel(t)
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Skip("the source is not here")
	}
	rows := regexp.MustCompile(`(?m)^//\tRFC .*$`).FindAllString(string(doc), -1)
	if len(rows) < len(strictRows) {
		t.Errorf("there are %d rows, and %d are known", len(rows), len(strictRows))
	}
	known := map[string]bool{}
	for _, row := range rows {
		row = strings.Join(strings.Fields(strings.TrimPrefix(row, "//\t")), " ")
		found := false
		for name := range strictRows {
			if strings.HasPrefix(row, name) {
				known[name], found = true, true
			}
		}
		if !found {
			t.Errorf("no test for the row %q", row)
		}
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/103":
			w.WriteHeader(http.StatusEarlyHints)
		case "/205":
			w.WriteHeader(http.StatusResetContent)
		}
		body, err := io.ReadAll(r.Body)
		_, again := r.Body.Read(make([]byte, 1))
		fmt.Fprintf(w, "%s read: %v, then %v", body, err, again)
	}
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, handler)
		for name, v := range strictRows {
			if !known[name] {
				t.Errorf("there is no row %q", name)
			}
			if v.raw == "" {
				continue
			}
			want := v.ours
			if m.strategy == recycling.Goroutine {
				want = v.theirs
			}
			c := s.dial(t)
			go func() {
				io.WriteString(c, v.raw)
				c.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, _ := io.ReadAll(c.r)
			if !regexp.MustCompile(want).Match(got) {
				t.Errorf("%s: received\n%.500q, want\n%s", name, got, want)
			}
		}
	})
}
