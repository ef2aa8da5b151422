package recycling_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// Data that the kernel could copy to a socket must be encrypted. The behaviours of package
// recyclingtest on copying are without TLS.
func TestCopyGoesThroughTLS(t *testing.T) {
	parallel(t)
	text := strings.Repeat("0123456789", 10_000)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	forEach(t, everyMode, func(t *testing.T, m mode) {
		result := make(chan string, 1)
		s := m.startTLS(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(name)
			if err != nil {
				return
			}
			defer f.Close()
			if r.URL.Query().Has("length") {
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			}
			var src io.Reader = f
			switch r.URL.Path {
			case "/limited":
				src = &io.LimitedReader{R: f, N: int64(len(text))}
			case "/broken":
				src = io.MultiReader(io.LimitReader(f, 1000), failing{broken})
			}
			n, err := io.Copy(w, src)
			result <- fmt.Sprint(n, err)
		})
		for _, path := range []string{"/", "/?length", "/limited", "/limited?length", "/broken"} {
			c := s.dial(t).shake()
			c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			_, body := c.response()
			want, wantText := fmt.Sprint(len(text), error(nil)), text
			if path == "/broken" {
				want, wantText = "1000broken", text[:1000]
			}
			if got := receive(t, result, "result of Copy"); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") || body != wantText {
				t.Errorf("%s: Copy has returned %s, and %d bytes have come; want %s", path, got, len(body), want)
			}
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
