package app

import (
	"context"
	"io"
	"net/http"
	"time"
)

// EventInterval is the time between two server-sent events.
const EventInterval = 100 * time.Millisecond

// Sleep sleeps for d, and reports whether ctx did not end before that.
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

// Work keeps the processor busy for d.
func Work(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// Echo writes r's body to w while it arrives. Without full duplex (HTTP/1.x would
// read the rest of the body before it sends a header) a client that waits for
// its first bytes back before it goes on would wait for ever.
func Echo(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	c.EnableFullDuplex() // HTTP/2 always is, and says that it is not supported
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

// ContentType returns the request's content type, which /echo keeps.
func ContentType(r *http.Request) string {
	if t := r.Header.Get("Content-Type"); t != "" {
		return t
	}
	return "application/octet-stream"
}
