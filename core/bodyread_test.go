package recycling_test

import (
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// TestReturningEndsAReadOfTheBody has a handler leave a goroutine behind that waits for the rest of
// the body, which never comes. The server is closed as soon as the read has ended.
func TestReturningEndsAReadOfTheBody(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		read := make(chan error, 1)
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			begun := make(chan struct{})
			go func() {
				close(begun)
				_, err := r.Body.Read(make([]byte, 100))
				read <- err
			}()
			<-begun
		})
		c := s.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")
		if err := receive(t, read, "end of Read"); err == nil {
			t.Error("Read returned nil, want an error")
		}
		s.Close()
	})
}
