package auto

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	_ "unsafe" // for linkname

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/internal/attach"
)

// The names of environment variables: see the package comment.
const (
	EnvExcept = "RECYCLING_EXCEPT"
	EnvQuiet  = "RECYCLING_QUIET"
)

// Hooks1 is for the file that the command recycle adds to each package main. If this package does
// not have the hooks that the command has put into net/http, the file does not compile.
const Hooks1 = true

// netHooks are the functions that net/http calls. The same declaration is in
// core/internal/nethook/hooks.go.txt.
type netHooks struct {
	serve      func(s *http.Server, own *atomic.Value, l net.Listener) (err error, served bool)
	shutdown   func(s *http.Server, own *atomic.Value, ctx context.Context) (err error, shut bool)
	close      func(s *http.Server, own *atomic.Value) (err error, closed bool)
	keepAlives func(s *http.Server, own *atomic.Value, enabled bool)
}

// hooks is a variable of net/http if that has been patched. Otherwise nothing reads it.
//
//go:linkname hooks net/http.recyclingHooks1
var hooks atomic.Pointer[netHooks]

func init() {
	if os.Getenv(recycling.EnvStrategy) == string(recycling.Goroutine) {
		hooks.Store(&netHooks{})
		return
	}
	hooks.Store(&netHooks{serve, shutdown, closeServer, setKeepAlives})
}

// A pair is an http.Server and the Server that serves in its place.
type pair struct {
	of *http.Server
	attach.Server
}

// find returns the Server in place of s. It returns nil if there is none because s is left alone,
// or because the call comes from package recycling, as part of what the application has called.
func find(s *http.Server, own *atomic.Value, l net.Listener) *pair {
	if fromCore() || attach.IsHost(s, l) {
		return nil
	}
	old := own.Load()
	if p, ok := old.(*pair); ok && p.of == s {
		return p
	}
	p := &pair{s, attach.New(s)}
	// If old is of another http.Server, s is a copy of that.
	if own.CompareAndSwap(old, p) {
		return p
	}
	return own.Load().(*pair)
}

var corePath = reflect.TypeFor[recycling.Server]().PkgPath()

// fromCore reports whether package recycling or one below it has called the method of http.Server
// that has called a hook. The method may have called others of net/http.
func fromCore() bool {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])]) // Callers, fromCore, find, hook
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "net/http.") {
			return strings.HasPrefix(f.Function, corePath+".") || strings.HasPrefix(f.Function, corePath+"/internal/")
		}
	}
	return false
}

func serve(s *http.Server, own *atomic.Value, l net.Listener) (err error, served bool) {
	p := find(s, own, l)
	if p == nil {
		return nil, false
	}
	switch excepted, err := isExcepted(s, l); {
	case err != nil:
		l.Close()
		return err, true
	case excepted:
		return nil, false
	}
	announce()
	return p.Serve(unwrap(l)), true
}

func shutdown(s *http.Server, own *atomic.Value, ctx context.Context) (err error, shut bool) {
	if p := find(s, own, nil); p != nil {
		return p.Shutdown(ctx), true
	}
	return nil, false
}

func closeServer(s *http.Server, own *atomic.Value) (err error, closed bool) {
	if p := find(s, own, nil); p != nil {
		return p.Close(), true
	}
	return nil, false
}

func setKeepAlives(s *http.Server, own *atomic.Value, enabled bool) {
	if p := find(s, own, nil); p != nil {
		p.SetKeepAlivesEnabled(enabled)
	}
}

// builder returns what has put the hooks into net/http. The rules of adapters/orchestrion make it
// return "orchestrion".
func builder() string { return "the command recycle" }

// announce writes the line that the package comment promises.
var announce = sync.OnceFunc(func() {
	if os.Getenv(EnvQuiet) == "" {
		fmt.Fprintf(os.Stderr, "recycling: built in by %s, %s: http.Servers of this program run on recycled workers (%s=%s: on net/http; %s=1: no such line)\n",
			builder(), attach.Version(), recycling.EnvStrategy, recycling.Goroutine, EnvQuiet)
	}
})
