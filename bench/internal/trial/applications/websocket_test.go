package applications

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/coder/websocket"
)

func TestMessagesAreReadInTurns(t *testing.T) {
	push := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/push" {
			push <- "pushed"
			fmt.Fprint(w, "done")
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		ctx := context.Background()
		for range 2 {
			_, text, err := c.Read(ctx)
			if err != nil {
				return
			}
			c.Write(ctx, websocket.MessageText, append([]byte("re: "), text...))
		}
		select {
		case text := <-push:
			c.Write(ctx, websocket.MessageText, []byte(text))
			c.Read(ctx) // the client closes
		case <-t.Context().Done():
		}
	}))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := &process{app: &Application{}, values: values{"port": port}}
	a := p.doWebSocket(t.Context(), Request{Path: "/", Send: []string{"one", "two"}, During: []Request{{Path: "/push"}}, Receive: 3})
	if want := []string{"re: one", "re: two", "done", "pushed"}; a.Err != "" || !slices.Equal(a.Messages, want) {
		t.Errorf("messages %q, error %q; want %q", a.Messages, a.Err, want)
	}
}
