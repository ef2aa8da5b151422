package applications

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// doWebSocket opens a WebSocket, sends and receives the messages of the request, and closes it.
func (p *process) doWebSocket(ctx context.Context, r Request) (a answer) {
	if err := p.talk(ctx, r, &a); err != nil {
		a.Err = err.Error()
	}
	return a
}

func (p *process) talk(ctx context.Context, r Request, a *answer) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeLimit)
	defer cancel()
	scheme := "ws://"
	if p.app.TLS {
		scheme = "wss://"
	}
	conn, resp, err := websocket.Dial(ctx, scheme+p.addr()+r.Path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: insecure(), DisableKeepAlives: true}},
		HTTPHeader: r.header(),
	})
	if resp != nil {
		resp.Header.Del("Sec-WebSocket-Accept") // it depends on a random key, and Dial has checked it
		a.Header = headerOf(resp)
	}
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	read := func() error {
		_, text, err := conn.Read(ctx)
		if err == nil {
			a.Messages = append(a.Messages, string(text))
		}
		return err
	}
	left := r.Receive
	for _, text := range r.Send {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
		if left > 0 {
			if err := read(); err != nil {
				return err
			}
			left--
		}
	}
	for _, during := range r.During {
		c := client{addr: p.addr(), tls: p.app.TLS}
		a.Messages = append(a.Messages, c.do(during).Body)
		c.close()
	}
	for range left {
		if err := read(); err != nil {
			return err
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}
