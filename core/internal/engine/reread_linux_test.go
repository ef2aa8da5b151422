//go:build !recycling_nopark

package engine

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/recycling-go/recycling/listener"
)

// A request that arrives before its connection is parked is served in the same turn.
func TestNextRequestThatIsThereIsServedInTheSameTurn(t *testing.T) {
	l, err := listener.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const requests, request = 400, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
	client, left := net.Conn(nil), requests
	dialed := make(chan struct{})
	handler := func(http.ResponseWriter, *http.Request) {
		<-dialed
		if left--; left > 0 {
			io.WriteString(client, request) // the next request, before this response
		}
	}
	e := New(Config{
		HTTP:    &http.Server{Handler: http.HandlerFunc(handler)},
		Context: func(ctx context.Context) context.Context { return ctx },
		Serving: func(net.Listener) {},
	})
	e.stayers.paused.Store(true) // a worker that stays would do the same
	served := make(chan error, 1)
	go func() { served <- e.Serve(l) }()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	close(dialed)
	io.WriteString(client, request)
	const response = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.CopyN(io.Discard, client, int64(requests*len(response))); err != nil {
		t.Fatal(err)
	}
	turns := e.shards()[0].workers.Stats().Done
	client.Close()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
	// Until a worker tries for the first time it passes rereadEvery opportunities, and after
	// maxRequestsPerTurn requests it may have to yield.
	if turns > requests/8 {
		t.Errorf("%d turns for %d requests, each of which was there when the response before it was written", turns, requests)
	}
}
