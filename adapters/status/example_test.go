package status_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	_ "net/http/pprof" // adds handlers to http.DefaultServeMux

	"github.com/recycling-go/recycling/adapters/status"
	recycling "github.com/recycling-go/recycling/core"
)

// The page is at http://localhost:6060.
func Example() {
	router := http.NewServeMux()
	if err := recycling.Serve(router, status.On(":6060")); err != nil {
		log.Fatal(err)
	}
}

// With profiles. The router must not be http.DefaultServeMux, which would publish them.
func ExampleOn() {
	router := http.NewServeMux()
	err := recycling.Serve(router, status.On(":6060", func(p *status.Page) {
		p.Handle("/debug/pprof/", "Profiles", http.DefaultServeMux)
	}))
	if err != nil {
		log.Fatal(err)
	}
}

// The page in the application's own router, behind its authentication.
func ExamplePage() {
	var page status.Page
	router := http.NewServeMux()
	router.Handle("/admin/status", onlyAdmins(&page))
	if err := recycling.Serve(router, page.Server("shop")); err != nil {
		log.Fatal(err)
	}
}

// An application that keeps its http.Server.
func ExamplePage_Server() {
	var page status.Page
	srv := &http.Server{Addr: ":8080"}
	recycling.Use(srv, page.Server("shop"))
	go func() { log.Print(page.ListenAndServe(":6060")) }()
	log.Fatal(srv.ListenAndServe())
}

// What programs get.
func ExamplePage_ServeHTTP() {
	var page status.Page
	r := httptest.NewRequest("GET", "/admin/status?format=json", nil)
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 application/json
}

func onlyAdmins(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "secret" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "only for admins", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}
