package recyclingprometheus_test

import (
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	recyclingprometheus "github.com/recycling-go/recycling/adapters/prometheus"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func Example() {
	router := http.NewServeMux() // or that of chi, echo or gin
	router.Handle("GET /metrics", promhttp.Handler())
	if err := recycling.Serve(router, recyclingprometheus.MustRegister(prometheus.DefaultRegisterer)); err != nil {
		log.Fatal(err)
	}
}

// Metrics should not be public: here they have a port of their own. The two servers are told apart
// by a label.
func ExampleConfig() {
	labels := func(server string) recyclingprometheus.Config {
		return recyclingprometheus.Config{Labels: prometheus.Labels{"server": server}}
	}
	admin := http.NewServeMux()
	admin.Handle("GET /metrics", promhttp.Handler())
	go func() {
		log.Fatal(recycling.Serve(admin, recycling.Addr("localhost:9090"), labels("admin").MustRegister(prometheus.DefaultRegisterer)))
	}()
	router := http.NewServeMux()
	if err := recycling.Serve(router, labels("public").MustRegister(prometheus.DefaultRegisterer)); err != nil {
		log.Fatal(err)
	}
}

// An application that calls its http.Server itself registers what Use returns.
func ExampleRegister() {
	srv := &http.Server{Addr: ":8080", Handler: http.NewServeMux()}
	if err := recyclingprometheus.Register(prometheus.DefaultRegisterer, recycling.Use(srv)); err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServe())
}

// The calls of tasks are observed where the place is made.
func ExampleRegisterTasks() {
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	rec := observe.NewTaskRecorder()
	place := task.Observe(task.Local(pool), "local", rec)
	if err := recyclingprometheus.RegisterTasks(prometheus.DefaultRegisterer, rec); err != nil {
		log.Fatal(err)
	}
	_ = place // for the methods Do of tasks
}
