package selfsigned_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

func TestCertificateIsGoodForItsNames(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org", "127.0.0.1", "::1")
	for name, ok := range map[string]bool{"example.org": true, "127.0.0.1": true, "::1": true, "example.com": false, "127.0.0.2": false} {
		_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: selfsigned.Pool(cert)})
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if other := selfsigned.NewTest(t, "example.org"); other.Leaf.Equal(cert.Leaf) {
		t.Error("the next certificate is the same")
	} else if _, err := other.Leaf.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: selfsigned.Pool(cert)}); err == nil {
		t.Error("who trusts a certificate trusts another one")
	}
}

func TestFilesAreThoseOfTheCertificate(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	certFile, keyFile := selfsigned.Files(t, cert)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Leaf.Equal(cert.Leaf) {
		t.Error("the files have another certificate")
	}
}
