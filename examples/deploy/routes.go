package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/examples/internal/app"
)

// healthPath is the path of all health checks: there can be only one that is served when all
// workers are busy. A query says what is asked, because the query does not matter for that.
const healthPath = "/healthz"

func routes(c config) chi.Router {
	r := chi.NewRouter()
	if len(c.proxies) > 0 {
		r.Use(middleware.ClientIPFromXFF(c.proxies.list()...))
	} else {
		r.Use(middleware.ClientIPFromRemoteAddr)
	}
	r.Use(middleware.Recoverer)
	r.Get("/yo", yo)
	r.Get("/ip", ip)
	r.Get("/sleep/{ms}", sleep)
	r.Get("/events", events)
	r.Get(healthPath, health)
	r.Head(healthPath, health)
	return r
}

func yo(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "you"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hey %s!", name)
}

func ip(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, middleware.GetClientIP(r.Context()))
}

func sleep(w http.ResponseWriter, r *http.Request) {
	d, err := app.Millis(chi.URLParam(r, "ms"), app.MaxSleep)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if app.Sleep(r.Context(), d) {
		fmt.Fprintf(w, "slept %v", d)
	}
}

// events sends an event every second. It ends when the server begins to drain: the client connects
// again, to another server. Otherwise it would last until DrainTimeout, and then be cut off.
func events(w http.ResponseWriter, r *http.Request) {
	draining := recycling.FromContext(r.Context()).Draining()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		fmt.Fprintf(w, "data: %d\n\n", n)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-draining:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// health responds to both kinds of health checks. A process that drains works, and must not be
// killed, but should not get requests.
func health(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("ready") {
		recycling.FromContext(r.Context()).Ready(w, r)
		return
	}
	fmt.Fprintln(w, "works")
}
