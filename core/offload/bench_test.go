package offload_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alitto/pond/v2"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

func nothing(context.Context) error { return nil }

func BenchmarkIdle(b *testing.B) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			p := newPool(b, offload.Config{Workers: 1})
			b.ReportAllocs()
			for b.Loop() {
				w.run(context.Background(), p, nothing)
			}
		})
	}
}

// Many callers wait for few workers.
func BenchmarkQueued(b *testing.B) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		for _, w := range ways {
			b.Run(fmt.Sprint(w.name, "/", policy), func(b *testing.B) {
				p := newPool(b, offload.Config{Workers: 2, Queue: 10_000, Wait: -1, Policy: policy})
				b.ReportAllocs()
				b.SetParallelism(64)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := w.run(context.Background(), p, nothing); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

func BenchmarkShed(b *testing.B) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			p := newPool(b, offload.Config{Workers: 1, Queue: -1})
			_, release, _ := p.Admit(context.Background())
			defer release()
			b.ReportAllocs()
			for b.Loop() {
				w.run(context.Background(), p, nothing)
			}
		})
	}
}

// BenchmarkPond compares the ways to get a worker with a pond pool that has a queue of the same
// size: with one caller, and with 16 callers for 2 workers. The package comment has the figures.
func BenchmarkPond(b *testing.B) {
	type do = func(context.Context, func(context.Context) error) error
	type contestant struct {
		name string
		open func(b *testing.B) do
	}
	const workers, queue = 2, 256
	contestants := []contestant{
		{"pond", func(b *testing.B) do { return newPond(b, workers, queue).do }},
		{"pond-limits", func(b *testing.B) do { return newPond(b, workers, queue).doWithin }},
	}
	for _, w := range ways {
		contestants = append(contestants, contestant{w.name, func(b *testing.B) do {
			p := newPool(b, offload.Config{Workers: workers, Queue: queue, Wait: pondWait})
			return func(ctx context.Context, f func(context.Context) error) error { return w.run(ctx, p, f) }
		}})
	}
	for _, callers := range []int{1, 16} {
		for _, c := range contestants {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, c.name), func(b *testing.B) {
				do := c.open(b)
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() {
						for range (b.N + i) / callers {
							if err := do(context.Background(), nothing); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

// A pondPool is a pond pool with a bounded queue.
type pondPool struct {
	pond.Pool
	forced context.Context // as in offload.Pool: ends the contexts of tasks
}

// pondWait is how long a call of doWithin may wait until its task begins.
const pondWait = 2 * time.Second

func newPond(b *testing.B, workers, queue int) pondPool {
	p := pond.NewPool(workers, pond.WithQueueSize(queue), pond.WithNonBlocking(true), pond.WithoutPanicRecovery())
	forced, force := context.WithCancel(context.Background())
	b.Cleanup(func() {
		p.StopAndWait()
		force()
	})
	return pondPool{p, forced}
}

// do runs task and waits for it. Its caller cannot leave.
func (p pondPool) do(ctx context.Context, task func(context.Context) error) error {
	done := make(chan error, 1)
	if err := p.Go(func() { done <- task(ctx) }); err != nil {
		return err
	}
	return <-done
}

// doWithin is do with the limits of Do: it returns when ctx ends, or when task has not begun after
// pondWait. Unlike a call of Do, it still holds its place in the queue after that.
func (p pondPool) doWithin(ctx context.Context, task func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.forced, cancel)()
	const begun, left = 1, 2
	var fate atomic.Uint32
	done := make(chan error, 1)
	err := p.Go(func() {
		if fate.CompareAndSwap(0, begun) {
			done <- task(ctx)
		}
	})
	if err != nil {
		return err
	}
	timer := time.NewTimer(pondWait)
	defer timer.Stop()
	expired := timer.C
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			fate.CompareAndSwap(0, left)
			return ctx.Err()
		case <-expired:
			if fate.CompareAndSwap(0, left) {
				return offload.ErrWait
			}
			expired = nil // the task has begun
		}
	}
}

// Clients in the same process send four times as many requests of 10 ms as can be served, along
// with light ones. Each iteration takes 3 seconds.
func BenchmarkOverload(b *testing.B) {
	for name, work := range map[string]func(){
		"sleep": func() { time.Sleep(10 * time.Millisecond) },
		"compute": func() {
			for begin := time.Now(); time.Since(begin) < 10*time.Millisecond; {
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			p := newPool(b, offload.Config{Workers: 1, Queue: 8, Wait: 250 * time.Millisecond})
			mux := http.NewServeMux()
			mux.Handle("/heavy", p.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { work() })))
			mux.HandleFunc("/light", func(http.ResponseWriter, *http.Request) {})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			s := &recycling.Server{HTTP: &http.Server{Handler: mux}}
			go s.Serve(l)
			defer s.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
			defer client.CloseIdleConnections()
			var mu sync.Mutex
			took := map[string][]time.Duration{}
			get := func(path string) {
				begin := time.Now()
				res, err := client.Get("http://" + l.Addr().String() + path)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				key := fmt.Sprint(path[1:], res.StatusCode)
				took[key] = append(took[key], time.Since(begin))
			}
			for range b.N {
				var clients sync.WaitGroup
				begin := time.Now()
				for n := range 3 * 400 {
					time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / 400)))
					clients.Go(func() { get("/heavy") })
					if n%4 == 0 {
						clients.Go(func() { get("/light") })
					}
				}
				clients.Wait()
			}
			for key, all := range took {
				slices.Sort(all)
				b.ReportMetric(float64(len(all)), key+"-n")
				b.ReportMetric(float64(all[len(all)*99/100])/1e6, key+"-p99-ms")
				b.ReportMetric(float64(all[len(all)-1])/1e6, key+"-max-ms")
			}
		})
	}
}
