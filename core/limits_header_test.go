package recycling_test

import (
	"net/http"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/internal/gohttp"
)

func TestEmptyLinesCountAsHeader(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{MaxHeaderBytes: 1000}}, hello)
		c := s.dial(t)
		for range 3 {
			c.send("%s", strings.Repeat("\r\n", 2000)+get) // the limit is for each request
			c.response()
		}
		c.send("%s", strings.Repeat("\r\n", 3000))
		if res, _ := c.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered with %v", res.Status)
		}
	})
}

// TestHeaderHas16384FieldsAtMost counts Host too. Since Go 1.27 net/http has a limit, lower by
// default; there the test sets it to the same number.
func TestHeaderHas16384FieldsAtMost(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		h := quiet()
		gohttp.SetMaxHeaderValues(h, 16_384)
		s := m.start(t, &recycling.Server{HTTP: h}, hello)
		for fields, want := range map[int]int{16_384: http.StatusOK, 16_385: http.StatusRequestHeaderFieldsTooLarge} {
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: test\r\n%s\r\n", strings.Repeat("a:\r\n", fields-1))
			if res, _ := c.response(); res.StatusCode != want {
				t.Errorf("%d fields are answered with %v, want %d", fields, res.Status, want)
			}
		}
	})
}
