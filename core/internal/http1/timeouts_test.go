package http1

import (
	"net/http"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

func TestTimeouts(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		header, read, idle   time.Duration // of http.Server
		wantHeader, wantIdle time.Duration
	}{
		{0, 0, 0, 30 * time.Second, 620 * time.Second},
		{time.Hour, 0, time.Minute, time.Hour, time.Minute},
		{0, time.Hour, 0, time.Hour, time.Hour},
		{none, 0, none, 0, 0},
		{0, none, 0, 0, 0},
		{time.Second, none, time.Minute, time.Second, time.Minute},
		{none, time.Second, none, 0, 0},
	} {
		var got park.Config
		(&Server{HTTP: &http.Server{ReadHeaderTimeout: c.header, ReadTimeout: c.read, IdleTimeout: c.idle}}).Timeouts(&got)
		if got.Timeouts[ForHeader] != c.wantHeader || got.Timeouts[ForNext] != c.wantIdle {
			t.Errorf("%+v: header %v, idle %v", c, got.Timeouts[ForHeader], got.Timeouts[ForNext])
		}
	}
}
