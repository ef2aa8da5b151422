package offload

import (
	"context"

	"github.com/recycling-go/recycling/core/internal/wait"
)

// Waiting calls f, which waits for something else than a processor: a database, another server, a
// lock. ctx is the context of a request, or one derived from it. While f runs, the handler of that
// request does not count against the server's MaxWorkers, so that another request can be served.
// [Do], [Use], [Pool.Admit] and [Pool.Middleware] do this themselves, as does a call of a task.
//
//	offload.Waiting(r.Context(), func() { rows, err = db.QueryContext(r.Context(), query) })
//
// At most MaxWaiting handlers of a server may wait in this way. If there are as many already,
// Waiting only calls f, and the handler counts. It also only calls f if the server has no workers
// that requests share: under the strategies fixed and goroutine, for HTTP/2, in a handler that has
// hijacked its connection, under net/http's own server, and if ctx is not derived from the context
// of a request. A call inside f, or on another goroutine meanwhile, only calls its own f.
//
// When f has returned, the handler goes on at once. If by then MaxWorkers others are at work, there
// is one more than MaxWorkers for a while: the next worker that becomes free takes no other
// request. The alternative, to wait until one becomes free, could last forever, if all of them wait
// for a mutex that this handler holds.
//
// Waiting makes no difference unless handlers keep MaxWorkers at work. It gives up a worker, which
// may mean waking another, and so is not worth it for what takes microseconds.
//
// Waiting returns when f returns, on the same goroutine. If f panics or calls [runtime.Goexit], so
// does Waiting.
func Waiting(ctx context.Context, f func()) {
	if w := waiter(ctx); w != nil {
		w.Wait(f)
		return
	}
	f()
}

// waiter returns the Waiter of the request that ctx is the context of, or nil.
func waiter(ctx context.Context) wait.Waiter {
	w, _ := ctx.Value(wait.Key{}).(wait.Waiter)
	return w
}
