// Package certs loads a TLS certificate and its key from files, and loads them again when the files
// change. It does the same with the certificates of the authorities that issue client certificates.
// The server is not restarted, and connections are not closed.
//
// An application adds three lines:
//
//	source, err := certs.Load(certs.Config{CertFile: "tls.crt", KeyFile: "tls.key"})
//	...
//	defer source.Close()
//	srv.HTTP.TLSConfig = source.TLSConfig(nil) // or srv.TLSConfig, of an http.Server
//	err = srv.ListenAndServeTLS("", "")        // was: ListenAndServeTLS("tls.crt", "tls.key")
//
// The files may be written in place, replaced by renaming others over them, or reached through
// symbolic links that are replaced, as Kubernetes does with the ..data of a mounted Secret and
// certbot with the files in live. A change takes effect when the files have not changed for a
// tenth of a second, and at the latest about a second after it began. New handshakes use the new
// certificate, and existing connections keep theirs.
//
// A certificate is used only with the key that belongs to it, and only if both files are complete.
// Otherwise the error is logged and the previous pair stays in use. So the order in which the two
// files are written does not matter.
//
// # Client certificates
//
// With [Config.ClientCAFile], clients must present a certificate that one of the authorities in
// that file has issued, unless the base config of [Source.TLSConfig] says otherwise:
//
//	source, err := certs.Load(certs.Config{
//		CertFile: "tls.crt", KeyFile: "tls.key", ClientCAFile: "clients.crt",
//	})
//
// To replace an authority, first put the old and the new one into the file, then give the clients
// new certificates, and then remove the old one. A client whose authority was removed can neither
// connect nor resume a session (the last release of Go 1.25, and newer ones, check that). Its open
// connections stay until they end; Server.MaxConnAge bounds that.
//
// # ACME
//
// Certmagic gets and renews certificates, and keeps them in memory, so it needs no Source:
//
//	config, err := certmagic.TLS([]string{"example.org"}) // accepts the terms of the CA
//	...
//	config.NextProtos = append([]string{"h2", "http/1.1"}, config.NextProtos...)
//	srv := recycling.New(router, recycling.Addr(":443"))
//	srv.HTTP.TLSConfig = config
//	err = srv.Run(ctx, func() error { return srv.ListenAndServeTLS("", "") })
//
// A Source is for certificates that another program puts into files: certbot, lego, cert-manager,
// Vault Agent, step, SPIRE.
package certs
