package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"
)

// A Config names the files of a [Source].
type Config struct {
	// CertFile has the certificate, followed by the intermediate certificates, and KeyFile its
	// private key, both in PEM, as for [tls.LoadX509KeyPair]. Both may be the same file.
	CertFile, KeyFile string

	// ClientCAFile has the certificates, in PEM, of the authorities that issue client certificates.
	// Empty means that the Source has nothing to do with client certificates.
	ClientCAFile string

	// Log gets a line when something was loaded, at level Info, and when that has failed, at level
	// Error. Nil means slog.Default().
	Log *slog.Logger
}

// check returns an error that names the missing field, if there is one.
func (c *Config) check() error {
	switch {
	case c.CertFile == "":
		return errors.New("certs: Config.CertFile is empty, want the path of a file in PEM")
	case c.KeyFile == "":
		return errors.New("certs: Config.KeyFile is empty, want the path of a file in PEM")
	}
	return nil
}

func (c *Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.Default()
	}
	return c.Log
}

// A Source has the certificate that the files of a [Config] contain. All methods may be called
// concurrently.
type Source struct {
	config Config
	cert   atomic.Pointer[tls.Certificate]
	roots  atomic.Pointer[x509.CertPool] // nil without ClientCAFile

	loading   sync.Mutex // guards the following
	pairText  []byte     // contents of the files that cert was made of
	rootsText []byte     // that of the file that roots was made of
	pairErr   string     // the last error that was logged; "" if there was none since
	rootsErr  string

	watcher *fsnotify.Watcher // nil if the system has none to give
	watched map[string]folder // used by watch only
	stop    chan struct{}
	closing sync.Once
	stopped chan struct{} // closed when watch has returned
}

// Load loads the files, and watches them until [Source.Close]. If a file is missing or invalid, or
// if the key does not belong to the certificate, the error names the field and the file.
//
// If the system cannot watch files any more (on Linux, see fs.inotify.max_user_instances), Load
// logs that, and the Source looks at the files once a minute.
func Load(c Config) (*Source, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Source{config: c, watched: make(map[string]folder), stop: make(chan struct{}), stopped: make(chan struct{})}
	var err error
	if s.watcher, err = fsnotify.NewWatcher(); err != nil {
		s.watcher = nil
		c.log().Warn("certs: cannot watch files, and so looks at them once a minute", "err", err)
	}
	s.follow() // before the files are read, so that no change is missed
	if err := s.Reload(); err != nil {
		s.closeWatcher()
		return nil, err
	}
	go s.watch()
	return s, nil
}

// GetCertificate returns the current certificate. It is for the field of that name in a
// [tls.Config], and its error is always nil.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.cert.Load(), nil
}

// ClientCAs returns the current authorities of clients, or nil without [Config.ClientCAFile]. The
// pool must not be changed.
func (s *Source) ClientCAs() *x509.CertPool { return s.roots.Load() }

// TLSConfig returns a copy of base with the certificate of s, and with the authorities of
// [Config.ClientCAFile], if that is set. Nil means a zero config. The copy is used by
// [recycling.Server.ServeTLS] and by [net/http.Server.ServeTLS] with empty file names, and by
// [tls.NewListener].
//
// Certificates and GetCertificate of base are replaced. With ClientCAFile, ClientCAs is too, and
// ClientAuth becomes [tls.RequireAndVerifyClientCert] if it is [tls.NoClientCert]. If
// GetConfigForClient of base returns a config for a client, that is used as it is.
//
// With ClientCAFile, a server that has HTTP/2 disabled needs a base with NextProtos "http/1.1":
// what the server adds to NextProtos, or removes, does not apply to a config that is chosen for a
// client. If NextProtos of base has neither "h2" nor "http/1.1", clients may choose both.
func (s *Source) TLSConfig(base *tls.Config) *tls.Config {
	c := new(tls.Config)
	if base != nil {
		c = base.Clone()
	}
	c.Certificates = nil
	c.GetCertificate = s.GetCertificate
	if s.config.ClientCAFile == "" {
		return c
	}
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.ClientCAs = s.ClientCAs()
	if !slices.Contains(c.NextProtos, "h2") && !slices.Contains(c.NextProtos, "http/1.1") {
		c.NextProtos = append(slices.Clip(c.NextProtos), "h2", "http/1.1")
	}
	protocols := c.NextProtos
	choose := c.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if choose != nil {
			if chosen, err := choose(h); chosen != nil || err != nil {
				return chosen, err
			}
		}
		return s.configNow(c, protocols), nil
	}
	return c
}

// configNow returns c with the current authorities, and with these protocols, which the server may
// have changed in c: that depends on the version of Go. It copies c for each handshake, and not
// once, because the application may call SetSessionTicketKeys. Keys that package tls has made
// itself are those of the config that the server uses, not those of the copy.
func (s *Source) configNow(c *tls.Config, protocols []string) *tls.Config {
	now := c.Clone()
	now.GetConfigForClient = nil
	now.ClientCAs = s.ClientCAs()
	now.NextProtos = slices.Clone(protocols)
	return now
}

// Reload loads the files now, whether or not they have changed. It is for applications that reload
// on a signal, for example; a Source finds out about changes without it. What can be loaded takes
// effect, even if the rest results in an error, which is logged too.
func (s *Source) Reload() error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return errors.Join(s.loadPairLocked(), s.loadRootsLocked())
}

func (s *Source) loadPairLocked() error {
	cert, text, err := readPair(s.config.CertFile, s.config.KeyFile)
	if err != nil {
		s.failed(&s.pairErr, "certificate", err)
		return err
	}
	s.pairErr = ""
	if slices.Equal(text, s.pairText) {
		return nil
	}
	s.pairText = text
	s.cert.Store(cert)
	s.config.log().Info("certs: loaded a certificate", "file", s.config.CertFile,
		"names", cert.Leaf.DNSNames, "serial", cert.Leaf.SerialNumber.Text(16), "until", cert.Leaf.NotAfter)
	return nil
}

func (s *Source) loadRootsLocked() error {
	if s.config.ClientCAFile == "" {
		return nil
	}
	roots, n, text, err := readRoots(s.config.ClientCAFile)
	if err != nil {
		s.failed(&s.rootsErr, "authorities of clients", err)
		return err
	}
	s.rootsErr = ""
	if slices.Equal(text, s.rootsText) {
		return nil
	}
	s.rootsText = text
	s.roots.Store(roots)
	s.config.log().Info("certs: loaded the authorities of clients", "file", s.config.ClientCAFile, "certificates", n)
	return nil
}

// failed logs err, unless it was the last error of this kind. Before the first success it logs
// nothing: Load returns the error.
func (s *Source) failed(last *string, what string, err error) {
	if text := err.Error(); text != *last && s.cert.Load() != nil {
		*last = text
		s.config.log().Error(fmt.Sprintf("certs: cannot load the %s; the previous one stays", what), "err", err)
	}
}

// Close stops watching the files, and waits for the goroutine that does. The certificate stays in
// use. A second call does nothing. The error is always nil.
func (s *Source) Close() error {
	s.closing.Do(func() { close(s.stop) })
	<-s.stopped
	return nil
}
