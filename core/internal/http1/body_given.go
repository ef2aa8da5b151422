package http1

import (
	"net/http"
	"sync/atomic"
)

// A givenBody is the Request.Body that a handler gets. Keeping it does not keep the exchange in
// memory once the exchange has ended.
type givenBody struct {
	body atomic.Pointer[body] // nil once the exchange has ended
}

func (g *givenBody) Read(p []byte) (int, error) {
	if b := g.body.Load(); b != nil {
		return b.Read(p)
	}
	return 0, http.ErrBodyReadAfterClose
}

func (g *givenBody) Close() error {
	if b := g.body.Load(); b != nil {
		return b.Close()
	}
	return nil
}
