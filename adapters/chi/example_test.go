package recyclingchi_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
)

func Example() {
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("Hey Dude!"))
	})
	if err := recyclingchi.Serve(r); err != nil { // was: http.ListenAndServe(":8080", r)
		log.Fatal(err)
	}
}

func ExamplePattern() {
	count := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			fmt.Println(r.URL.Path, "counts as", recyclingchi.Pattern(r))
		})
	}
	r := chi.NewRouter()
	r.Use(count)
	r.Route("/users", func(r chi.Router) {
		r.Get("/{id}", func(http.ResponseWriter, *http.Request) {})
	})

	for _, path := range []string{"/users/1", "/users/2", "/wp-login.php"} {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	// Output:
	// /users/1 counts as /users/{id}
	// /users/2 counts as /users/{id}
	// /wp-login.php counts as none
}
