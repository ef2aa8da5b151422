package recyclingnats

import (
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// A mux is one subscription for many receivers: each has a subject of its own below the mux's
// inbox. The token of a subject is never used again.
type mux[T receiver] struct {
	inbox string // without the last token
	sub   *nats.Subscription
	stray func(m *nats.Msg) // gets messages for nobody

	mu        sync.Mutex // guards following
	receivers map[string]T
}

// A receiver gets the messages for its subject, in order, on the goroutine of the subscription. It
// must not block.
type receiver interface {
	receive(m *nats.Msg)
}

func newMux[T receiver](nc *nats.Conn, stray func(m *nats.Msg)) (*mux[T], error) {
	x := &mux[T]{inbox: nc.NewInbox() + ".", stray: stray, receivers: map[string]T{}}
	var err error
	x.sub, err = nc.Subscribe(x.inbox+"*", x.dispatch)
	if err != nil {
		return nil, err
	}
	return x, x.sub.SetPendingLimits(pendingMessages, pendingBytes)
}

// add makes r the receiver of the subject that is inbox with the token.
func (x *mux[T]) add(token string, r T) {
	x.mu.Lock()
	x.receivers[token] = r
	x.mu.Unlock()
}

func (x *mux[T]) remove(token string) {
	x.mu.Lock()
	delete(x.receivers, token)
	x.mu.Unlock()
}

func (x *mux[T]) all() []T {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]T, 0, len(x.receivers))
	for _, r := range x.receivers {
		list = append(list, r)
	}
	return list
}

func (x *mux[T]) dispatch(m *nats.Msg) {
	token, ok := strings.CutPrefix(m.Subject, x.inbox)
	if !ok {
		return
	}
	x.mu.Lock()
	r, ok := x.receivers[token]
	x.mu.Unlock()
	if ok {
		r.receive(m)
		return
	}
	x.stray(m)
}
