package embedded_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload/task"
)

// BenchmarkCall takes the time of an empty call over the embedded server, and, as the floor in the
// same run, that of two requests with core NATS from one connection to another: a call that asks
// has two exchanges, and so many changes of goroutines at least.
func BenchmarkCall(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		server := start(b)
		there, here := dial(b, server), dial(b, server)
		s, err := there.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) })
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Unsubscribe() }()
		if err := there.Flush(); err != nil {
			b.Fatal(err)
		}
		measure(b, func() error {
			for range 2 {
				if _, err := here.Request("echo", []byte("null"), time.Minute); err != nil {
					return err
				}
			}
			return nil
		})
	})
	for _, idempotent := range []bool{false, true} {
		name := "asks"
		if idempotent {
			name = "idempotent"
		}
		b.Run(name, func(b *testing.B) {
			var tasks task.Set
			empty := task.Register(&tasks, "empty", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil },
				task.Options{Idempotent: idempotent})
			c := recyclingnats.Config{Embedded: start(b)}
			var clients []*recyclingnats.Client
			for range 2 {
				client, err := recyclingnats.Connect(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(client.Close)
				clients = append(clients, client)
			}
			serve(b, clients[1], &tasks, recyclingnats.WorkerConfig{})
			measure(b, func() error {
				_, err := empty.Do(context.Background(), clients[0], struct{}{})
				return err
			})
		})
	}
}

// dial returns a connection to the server.
func dial(b *testing.B, server func(string) (recyclingnats.Server, error)) *nats.Conn {
	b.Helper()
	s, err := server("")
	if err != nil {
		b.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}

// measure reports the median and the 99th percentile of f's time.
func measure(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	var times []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	for name, part := range map[string]int{"p50-µs": 50, "p99-µs": 99} {
		b.ReportMetric(float64(times[len(times)*part/100].Nanoseconds())/1000, name)
	}
}
