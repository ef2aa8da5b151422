package systemd_test

import (
	"context"
	"log"
	"net/http"

	"github.com/recycling-go/recycling/adapters/systemd"
	recycling "github.com/recycling-go/recycling/core"
)

func ExampleRun() {
	router := http.NewServeMux()
	if err := systemd.Run(recycling.New(router)); err != nil { // was: recycling.Serve(router)
		log.Fatal(err)
	}
}

func ExampleListener() {
	web, err := systemd.Listener("web")
	if err != nil {
		log.Fatal(err)
	}
	srv := recycling.New(http.NewServeMux(), systemd.Notify)
	err = srv.Run(context.Background(), func() error { return srv.ServeTLS(web, "cert.pem", "key.pem") })
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleNotify() {
	srv := &http.Server{Addr: ":8080", Handler: http.NewServeMux()}
	recycling.Use(srv, systemd.Notify) // the application starts and stops srv as before
	log.Fatal(srv.ListenAndServe())
}
