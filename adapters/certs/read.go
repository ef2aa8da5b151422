package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// maxFile is the maximum size of a file. All authorities that browsers trust take a fifth of that.
const maxFile = 1 << 20

// maxPart is how much is read at once, which is more than most files have.
const maxPart = 1 << 16

// readFile returns the contents of a file in PEM, which must be complete. It reads the file twice,
// and returns an error if the contents differ: if a file is written while it is being read, what is
// read may be partly old and partly new, and valid nevertheless, except for its signature.
func readFile(field, path string) ([]byte, error) {
	b, err := readOnce(path)
	if err != nil {
		return nil, fmt.Errorf("certs: Config.%s: %w", field, err)
	}
	if err := checkComplete(b); err != nil {
		return nil, fmt.Errorf("certs: Config.%s: %s: %w", field, path, err)
	}
	again, err := readOnce(path)
	if err != nil {
		return nil, fmt.Errorf("certs: Config.%s: %w", field, err)
	}
	if !bytes.Equal(b, again) {
		return nil, fmt.Errorf("certs: Config.%s: %s: %w", field, path, errChanging)
	}
	return b, nil
}

// readOnce reads a file, with as few system calls as possible.
func readOnce(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	b.Grow(maxPart)
	if _, err := b.ReadFrom(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, err
	}
	if b.Len() > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return b.Bytes(), nil
}

var (
	errEmpty    = errors.New("no PEM in the file")
	errBroken   = errors.New("the PEM is incomplete or damaged")
	errChanging = errors.New("the file is being written")
)

// checkComplete returns an error unless every block of b ends. Package pem skips others, so a file
// that is being written could lack the last certificates of its chain.
func checkComplete(b []byte) error {
	begin := []byte("-----BEGIN ")
	blocks, rest := 0, b
	for {
		block, next := pem.Decode(rest)
		if block == nil {
			break
		}
		blocks, rest = blocks+1, next
	}
	switch n := bytes.Count(b, begin); {
	case n == 0:
		return errEmpty
	case n != blocks:
		return errBroken
	}
	return nil
}

// readPair loads a certificate and its key. It also returns what it has read.
func readPair(certFile, keyFile string) (*tls.Certificate, []byte, error) {
	certText, err := readFile("CertFile", certFile)
	if err != nil {
		return nil, nil, err
	}
	keyText, err := readFile("KeyFile", keyFile)
	if err != nil {
		return nil, nil, err
	}
	cert, err := tls.X509KeyPair(certText, keyText) // which checks that they belong together
	if err != nil {
		return nil, nil, fmt.Errorf("certs: Config.CertFile %s and Config.KeyFile %s: %w", certFile, keyFile, err)
	}
	if cert.Leaf == nil { // GODEBUG=x509keypairleaf=0
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, nil, fmt.Errorf("certs: Config.CertFile %s: %w", certFile, err)
		}
	}
	return &cert, slices.Concat(certText, []byte{0}, keyText), nil
}

// readRoots loads the certificates of authorities, and returns how many there are. It also returns
// what it has read.
func readRoots(path string) (roots *x509.CertPool, n int, text []byte, err error) {
	text, err = readFile("ClientCAFile", path)
	if err != nil {
		return nil, 0, nil, err
	}
	roots = x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, 0, nil, fmt.Errorf("certs: Config.ClientCAFile: %s has a %s, want only certificates", path, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, 0, nil, fmt.Errorf("certs: Config.ClientCAFile: %s: certificate %d: %w", path, n+1, err)
		}
		roots.AddCert(cert)
		n++
	}
	return roots, n, text, nil
}
