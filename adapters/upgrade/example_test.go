package upgrade_test

import (
	"context"
	"log"
	"net/http"

	"github.com/recycling-go/recycling/adapters/upgrade"
	recycling "github.com/recycling-go/recycling/core"
)

func ExampleRun() {
	srv := recycling.New(http.NewServeMux())
	if err := upgrade.Run(srv, upgrade.Config{PIDFile: "/run/app.pid"}); err != nil { // was: recycling.Serve
		log.Fatal(err)
	}
}

func ExampleUpgrader_Run() {
	u, err := upgrade.New(upgrade.Config{PIDFile: "/run/app.pid"})
	if err != nil {
		log.Fatal(err)
	}
	web, err := u.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	secure, err := u.Listen("tcp", ":8443")
	if err != nil {
		log.Fatal(err)
	}
	srv := recycling.New(http.NewServeMux())
	err = u.Run(context.Background(), srv,
		func() error { return srv.Serve(web) },
		func() error { return srv.ServeTLS(secure, "cert.pem", "key.pem") })
	if err != nil {
		log.Fatal(err)
	}
}

// An application with its own http.Server reports that it is ready, and stops the server when the
// process has to exit.
func ExampleUpgrader_Ready() {
	u, err := upgrade.New(upgrade.Config{})
	if err != nil {
		log.Fatal(err)
	}
	l, err := u.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.NewServeMux()}
	recycling.Use(srv)
	go srv.Serve(l)
	if err := u.Ready(); err != nil {
		log.Fatal(err)
	}
	<-u.Done()
	srv.Shutdown(context.Background())
}
