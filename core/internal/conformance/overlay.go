package main

import (
	"path/filepath"
	"strings"

	"github.com/recycling-go/recycling/core/internal/gotool"
)

// after inserts code after a text.
func after(text, code string) gotool.Edit {
	return gotool.Edit{Find: text, Replace: text + "\n" + code + "\n"}
}

// edits make the copy of server.go call the server under test.
var edits = []gotool.Edit{
	after("\t\tfn(s, l) // call hook with unwrapped listener\n\t}\n", "if h := ServeHook; h != nil {\nif err, ok := h(s, l); ok {\nreturn err\n}\n}"),
	after("func (s *Server) Close() error {", "if h := CloseHook; h != nil {\nif err, ok := h(s); ok {\nreturn err\n}\n}"),
	after("func (s *Server) Shutdown(ctx context.Context) error {", "if h := ShutdownHook; h != nil {\nif err, ok := h(s, ctx); ok {\nreturn err\n}\n}"),
	after("func (s *Server) SetKeepAlivesEnabled(v bool) {", "if h := KeepAlivesHook; h != nil {\nh(s, v)\n}"),
	// Tests of net/http write this variable between their servers, without a lock. The http.Server
	// serves the listeners of this project on goroutines that such a test does not wait for.
	{
		Find:    "if fn := testHookServerServe; fn != nil {",
		Replace: "if _, ours := l.(interface{ ForNetHTTP() }); ours {\n} else if fn := testHookServerServe; fn != nil {",
	},
}

const hookVars = `package http

import (
	"context"
	"net"
)

var (
	ServeHook      func(*Server, net.Listener) (error, bool)
	CloseHook      func(*Server) (error, bool)
	ShutdownHook   func(*Server, context.Context) (error, bool)
	KeepAlivesHook func(*Server, bool)
)
`

// overlay writes the patched files into dir, and returns the name of the file for go test -overlay.
// testPackage is the package name of the tests, and testDir is their directory.
func overlay(dir, testDir, testPackage string) (string, error) {
	o, err := gotool.NewOverlay(dir)
	if err != nil {
		return "", err
	}
	if err := o.Edit("net/http/server.go", edits...); err != nil {
		return "", err
	}
	if err := o.Put(o.Std("net/http/recycling_hooks.go"), hookVars); err != nil {
		return "", err
	}
	test := strings.Replace(connect, "package main", "package "+testPackage, 1)
	if err := o.Put(filepath.Join(testDir, "recycling_hooks_test.go"), test); err != nil {
		return "", err
	}
	return o.Write()
}

// connect is the test file that connects the hooks to a recycling.Server.
const connect = `package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"sync"
	"unsafe"

	recycling "github.com/recycling-go/recycling/core"
)

func init() {
	if os.Getenv("RECYCLING_STRATEGY") == "" {
		return
	}
	slog.SetLogLoggerLevel(slog.LevelError) // a test expects that its server logs nothing
	type server struct {
		*recycling.Server
		inside int // calls of ours that call the http.Server's own methods
	}
	var mu sync.Mutex
	servers := map[*http.Server]*server{}
	find := func(s *http.Server, serve bool) *server {
		mu.Lock()
		defer mu.Unlock()
		r := servers[s]
		if r == nil {
			r = &server{Server: &recycling.Server{HTTP: s}}
			servers[s] = r
		}
		if r.inside > 0 && !serve {
			return nil
		}
		r.inside++
		return r
	}
	leave := func(r *server) {
		mu.Lock()
		defer mu.Unlock()
		r.inside--
	}
	http.ServeHook = func(s *http.Server, l net.Listener) (error, bool) {
		if _, ok := l.(interface{ ForNetHTTP() }); ok {
			return nil, false
		}
		r := find(s, true)
		leave(r)
		if inner, config := secured(l); config != nil {
			mu.Lock()
			s.TLSConfig = config
			mu.Unlock()
			return r.ServeTLS(inner, "", ""), true
		}
		return r.Serve(l), true
	}
	http.CloseHook = func(s *http.Server) (error, bool) {
		r := find(s, false)
		if r == nil {
			return nil, false
		}
		defer leave(r)
		err := r.Close()
		if _, busy := err.(*recycling.AbandonError); busy {
			err = nil // net/http does not say
		}
		return err, true
	}
	http.ShutdownHook = func(s *http.Server, ctx context.Context) (error, bool) {
		r := find(s, false)
		if r == nil {
			return nil, false
		}
		defer leave(r)
		return r.Shutdown(ctx), true
	}
	http.KeepAlivesHook = func(s *http.Server, v bool) {
		if r := find(s, false); r != nil {
			defer leave(r)
			r.SetKeepAlivesEnabled(v)
		}
	}
}

// secured takes a listener of package tls apart, so that TLS is this project's to speak.
func secured(l net.Listener) (net.Listener, *tls.Config) {
	v := reflect.ValueOf(l)
	if v.Type().String() != "*tls.listener" {
		return nil, nil
	}
	v = v.Elem()
	return v.FieldByName("Listener").Interface().(net.Listener), *(**tls.Config)(unsafe.Pointer(v.FieldByName("config").UnsafeAddr()))
}
`
