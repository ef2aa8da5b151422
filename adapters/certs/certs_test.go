package certs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/adapters/certs"
)

func TestChangesAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setUp func(t *testing.T, dir string, c *issued) (files string)
		// change is called twice.
		change func(t *testing.T, dir string, c *issued, n string)
	}{
		{
			name:   "written in place",
			setUp:  func(t *testing.T, dir string, c *issued) string { put(t, dir, c); return dir },
			change: func(t *testing.T, dir string, c *issued, _ string) { put(t, dir, c) },
		},
		{
			name:  "renamed over",
			setUp: func(t *testing.T, dir string, c *issued) string { put(t, dir, c); return dir },
			change: func(t *testing.T, dir string, c *issued, n string) {
				next := mkdir(t, dir, n)
				put(t, next, c)
				for _, name := range []string{"tls.key", "tls.crt"} {
					rename(t, filepath.Join(next, name), filepath.Join(dir, name))
				}
			},
		},
		{
			name: "..data of Kubernetes",
			setUp: func(t *testing.T, dir string, c *issued) string {
				put(t, mkdir(t, dir, "..0"), c)
				symlink(t, "..0", filepath.Join(dir, "..data"))
				for _, name := range []string{"tls.key", "tls.crt"} {
					symlink(t, filepath.Join("..data", name), filepath.Join(dir, name))
				}
				return dir
			},
			change: func(t *testing.T, dir string, c *issued, n string) {
				put(t, mkdir(t, dir, ".."+n), c)
				old, _ := os.Readlink(filepath.Join(dir, "..data"))
				symlink(t, ".."+n, filepath.Join(dir, "..data"))
				os.RemoveAll(filepath.Join(dir, old))
			},
		},
		{
			name: "live of certbot",
			setUp: func(t *testing.T, dir string, c *issued) string {
				live := mkdir(t, dir, "live")
				put(t, mkdir(t, dir, "archive", "0"), c)
				for _, name := range []string{"tls.key", "tls.crt"} {
					symlink(t, filepath.Join("..", "archive", "0", name), filepath.Join(live, name))
				}
				return live
			},
			change: func(t *testing.T, dir string, c *issued, n string) {
				put(t, mkdir(t, dir, "archive", n), c)
				for _, name := range []string{"tls.key", "tls.crt"} {
					symlink(t, filepath.Join("..", "archive", n, name), filepath.Join(dir, "live", name))
				}
			},
		},
		{
			name: "link to a folder",
			setUp: func(t *testing.T, dir string, c *issued) string {
				put(t, mkdir(t, dir, "deep", "0"), c)
				symlink(t, filepath.Join(dir, "deep", "0"), filepath.Join(dir, "current"))
				return filepath.Join(dir, "current")
			},
			change: func(t *testing.T, dir string, c *issued, n string) {
				put(t, mkdir(t, dir, "deep", n), c)
				symlink(t, filepath.Join(dir, "deep", n), filepath.Join(dir, "current"))
			},
		},
		{
			name: "target of a link written in place",
			setUp: func(t *testing.T, dir string, c *issued) string {
				put(t, mkdir(t, dir, "real"), c)
				symlink(t, "real", filepath.Join(dir, "current"))
				return filepath.Join(dir, "current")
			},
			change: func(t *testing.T, dir string, c *issued, _ string) { put(t, filepath.Join(dir, "real"), c) },
		},
		{
			name:  "removed and written again",
			setUp: func(t *testing.T, dir string, c *issued) string { put(t, dir, c); return dir },
			change: func(t *testing.T, dir string, c *issued, _ string) {
				os.Remove(filepath.Join(dir, "tls.crt"))
				os.Remove(filepath.Join(dir, "tls.key"))
				put(t, dir, c)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := issue(t, "first", nil)
			s := load(t, config(tt.setUp(t, dir, first), quiet))
			await(t, s, first)
			for _, n := range []string{"1", "2"} {
				next := issue(t, "change "+n, nil)
				tt.change(t, dir, next, n)
				await(t, s, next)
			}
		})
	}
}

func TestMismatchIsNeverUsed(t *testing.T) {
	t.Parallel()
	dir, first, second := t.TempDir(), issue(t, "first", nil), issue(t, "second", nil)
	put(t, dir, first)
	log, lines := newLog()
	s := load(t, config(dir, log))
	write(t, filepath.Join(dir, "tls.crt"), second.certPEM) // the key is still the first one's
	awaitThat(t, "the error is logged", func() bool { return lines.count("private key does not match public key") == 1 })
	if !current(s).Leaf.Equal(first.cert) {
		t.Error("the first certificate is no longer in use")
	}
	for range 3 {
		if err := s.Reload(); err == nil {
			t.Error("Reload returned nil")
		}
	}
	if n := lines.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors were logged, want 1", n)
	}
	write(t, filepath.Join(dir, "tls.key"), second.keyPEM)
	await(t, s, second)
}

// TestPairsAlwaysMatch replaces the files all the time while the certificate is read.
func TestPairsAlwaysMatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pairs := []*issued{issue(t, "a", nil), issue(t, "b", nil)}
	put(t, dir, pairs[0])
	s := load(t, config(dir, quiet))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				put(t, dir, pairs[i%2])
			}
		}
	}()
	for range 1000 {
		s.Reload() // which may fail
		c := current(s)
		var has bool
		for _, p := range pairs {
			has = has || c.Leaf.Equal(p.cert) && p.key.Equal(c.PrivateKey)
		}
		if !has {
			t.Error("the key is not that of the certificate")
			break
		}
	}
	close(stop)
	<-done
	last := issue(t, "last", nil)
	put(t, dir, last)
	await(t, s, last)
}

func TestIncompleteChainIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := issue(t, "ca", nil)
	c := issue(t, "leaf", ca)
	put(t, dir, c)
	s := load(t, config(dir, quiet))
	chain := append(bytes.Clone(c.certPEM), ca.certPEM...)
	write(t, filepath.Join(dir, "tls.crt"), chain[:len(chain)-40])
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("Reload returned %v", err)
	}
	write(t, filepath.Join(dir, "tls.crt"), chain)
	awaitThat(t, "the chain is complete", func() bool { return len(current(s).Certificate) == 2 })
}

func TestOneFileHasBoth(t *testing.T) {
	t.Parallel()
	dir, first, second := t.TempDir(), issue(t, "first", nil), issue(t, "second", nil)
	path := filepath.Join(dir, "both.pem")
	write(t, path, append(bytes.Clone(first.keyPEM), first.certPEM...))
	s := load(t, certs.Config{CertFile: path, KeyFile: path, Log: quiet})
	write(t, path, append(bytes.Clone(second.keyPEM), second.certPEM...))
	await(t, s, second)
}

func TestLoadReturnsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir, c, other := t.TempDir(), issue(t, "c", nil), issue(t, "other", nil)
	put(t, dir, c)
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		write(t, path, b)
		return path
	}
	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for _, tt := range []struct {
		name   string
		config certs.Config
		want   []string
	}{
		{"no certificate", certs.Config{KeyFile: key}, []string{"Config.CertFile is empty"}},
		{"no key", certs.Config{CertFile: crt}, []string{"Config.KeyFile is empty"}},
		{"no file", certs.Config{CertFile: filepath.Join(dir, "none"), KeyFile: key}, []string{"Config.CertFile", "none"}},
		{"a folder", certs.Config{CertFile: crt, KeyFile: dir}, []string{"Config.KeyFile", dir}},
		{"empty", certs.Config{CertFile: file("empty", nil), KeyFile: key}, []string{"Config.CertFile", "no PEM in the file"}},
		{"too large", certs.Config{CertFile: file("large", make([]byte, 1<<20+1)), KeyFile: key}, []string{"Config.CertFile", "more than 1048576 bytes"}},
		{"another key", certs.Config{CertFile: crt, KeyFile: file("other", other.keyPEM)}, []string{"Config.KeyFile", "does not match"}},
		{"no authority", certs.Config{CertFile: crt, KeyFile: key, ClientCAFile: filepath.Join(dir, "none")}, []string{"Config.ClientCAFile", "none"}},
		{"a key among authorities", certs.Config{CertFile: crt, KeyFile: key, ClientCAFile: key}, []string{"Config.ClientCAFile", "PRIVATE KEY"}},
		{"a bad authority", certs.Config{CertFile: crt, KeyFile: key, ClientCAFile: file("bad", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))}, []string{"Config.ClientCAFile", "certificate 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Log = quiet
			s, err := certs.Load(tt.config)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestCloseEndsWatching(t *testing.T) {
	t.Parallel()
	dir, first, second := t.TempDir(), issue(t, "first", nil), issue(t, "second", nil)
	put(t, dir, first)
	s := load(t, config(dir, quiet))
	s.Close()
	s.Close()
	put(t, dir, second)
	if !current(s).Leaf.Equal(first.cert) {
		t.Error("the certificate has changed")
	}
	if err := s.Reload(); err != nil || !current(s).Leaf.Equal(second.cert) {
		t.Errorf("after Reload: %v", err)
	}
}

func TestLinksThatGoRoundAreAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need privileges here")
	}
	t.Parallel()
	dir := t.TempDir()
	symlink(t, "tls.crt", filepath.Join(dir, "tls.crt"))
	if s, err := certs.Load(config(dir, quiet)); err == nil {
		s.Close()
		t.Error("no error")
	}
}
