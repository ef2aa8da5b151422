package certs_test

import (
	"context"
	"crypto/tls"
	"log"
	"net/http"

	"github.com/recycling-go/recycling/adapters/certs"
	recycling "github.com/recycling-go/recycling/core"
)

func Example() {
	source, err := certs.Load(certs.Config{CertFile: "tls.crt", KeyFile: "tls.key"})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	srv := recycling.New(http.NewServeMux(), recycling.Addr(":8443"))
	srv.HTTP.TLSConfig = source.TLSConfig(nil)
	err = srv.Run(context.Background(), func() error { return srv.ListenAndServeTLS("", "") })
	if err != nil {
		log.Fatal(err)
	}
}

// The authorities of clients are those in a file, at any time.
func ExampleSource_TLSConfig() {
	source, err := certs.Load(certs.Config{CertFile: "tls.crt", KeyFile: "tls.key", ClientCAFile: "clients.crt"})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	srv := &http.Server{Addr: ":8443", TLSConfig: source.TLSConfig(&tls.Config{MinVersion: tls.VersionTLS13})}
	recycling.Use(srv)
	log.Fatal(srv.ListenAndServeTLS("", ""))
}
