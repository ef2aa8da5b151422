package recyclingchi_test

import (
	"log"
	"net/http"

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
