package app

import (
	"context"
	"io"
	"net/http"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// EventInterval is the time between two server-sent events.
const EventInterval = 100 * time.Millisecond

// Sleep sleeps for d, or until ctx ends. It reports whether it slept for the whole time.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// NextEvent waits until it is time for the next server-sent event, and reports whether to send it.
// It reports false when the client is gone, or when the server drains: then the client should
// connect again, to another server.
func NextEvent(ctx context.Context) bool {
	t := time.NewTimer(EventInterval)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-recycling.FromContext(ctx).Draining():
	}
	return false
}

// Work keeps the processor busy for d.
func Work(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// Echo writes r's body to w while it arrives. It needs full duplex: otherwise HTTP/1.x reads the
// rest of the body before it sends a header, and a client that waits for its first bytes before it
// sends more would wait forever.
func Echo(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	c.EnableFullDuplex() // fails for HTTP/2, which is always full duplex
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := c.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ContentType returns the request's content type, which the response of /echo has too.
func ContentType(r *http.Request) string {
	if t := r.Header.Get("Content-Type"); t != "" {
		return t
	}
	return "application/octet-stream"
}
