package offload_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// Two reports run at a time; a hundred may wait for two seconds. With chi, this is
// router.With(heavy.Middleware).Get("/report", report).
func Example() {
	heavy, err := offload.New(offload.Config{Workers: 2, Queue: 100, Wait: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	report := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		fmt.Fprintln(w, "done")
	})
	mux := http.NewServeMux()
	mux.Handle("GET /report", heavy.Middleware(report))
	mux.HandleFunc("GET /yo", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Hey!") })
	log.Fatal(http.ListenAndServe(":8080", mux))
}

// A handler that needs the result of a heavy function.
func ExampleDo() {
	p, err := offload.New(offload.Config{Workers: 2, Timeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	handler := func(w http.ResponseWriter, r *http.Request) {
		sum, err := offload.Do(r.Context(), p, func(ctx context.Context) (int, error) {
			return 40 + 2, ctx.Err()
		})
		var shed *offload.ShedError
		switch {
		case errors.As(err, &shed):
			w.Header().Set("Retry-After", offload.RetryAfter(err))
			http.Error(w, "too busy", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			fmt.Fprintln(w, sum)
		}
	}
	http.HandleFunc("GET /sum", handler)
}

// A worker that owns a counter that is not safe for concurrent use.
func ExampleUse() {
	type counter struct{ n int }
	ctx := context.Background()
	counters, err := offload.NewResources(ctx, offload.ResourceConfig[*counter]{
		Config: offload.Config{Workers: 1},
		Open:   func(context.Context, func(error)) (*counter, error) { return new(counter), nil },
		Close:  func(c *counter) error { fmt.Println("closed at", c.n); return nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		n, err := offload.Use(ctx, counters, func(_ context.Context, c *counter) (int, error) {
			c.n++
			return c.n, nil
		})
		fmt.Println(n, err)
	}
	counters.Shutdown(ctx)
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// closed at 3
}

// The middleware of a framework gets a worker, or passes the error to the framework.
func ExamplePool_Admit() {
	type handler func(w http.ResponseWriter, r *http.Request) error // for example
	p, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	middleware := func(next handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			ctx, release, err := p.Admit(r.Context())
			if err != nil {
				return err
			}
			defer release() // also when next panics
			return next(w, r.WithContext(ctx))
		}
	}
	_ = middleware
}

// Eight tasks may run at the same time, but only two of those that need a GPU.
func ExamplePool_With() {
	heavy, err := offload.New(offload.Config{Workers: 8, Slots: offload.Slots{"GPU": 2}})
	if err != nil {
		log.Fatal(err)
	}
	defer heavy.Close()
	gpu, err := heavy.With(offload.Slots{"GPU": 1})
	if err != nil {
		log.Fatal(err)
	}
	_, err = offload.Do(context.Background(), gpu, func(context.Context) (int, error) {
		fmt.Println("occupied:", heavy.Occupied()["GPU"])
		return 0, nil
	})
	fmt.Println(err)

	_, err = heavy.With(offload.Slots{"GPU": 3})
	fmt.Println(err)
	// Output:
	// occupied: 1
	// <nil>
	// offload: needs more slots than there are: wants 3 of "GPU", there are 2
}

// A handler that waits for another server, and then computes. While it waits, it does not count
// against MaxWorkers.
func ExampleWaiting() {
	http.HandleFunc("GET /price", func(w http.ResponseWriter, r *http.Request) {
		var res *http.Response
		var err error
		offload.Waiting(r.Context(), func() { res, err = http.Get("http://prices.example/today") })
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		fmt.Fprintln(w, res.Status)
	})
}
