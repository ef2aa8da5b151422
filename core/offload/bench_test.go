package offload_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

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
