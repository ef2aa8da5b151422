package server

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// A Spec says which server to start, and with which router.
type Spec struct {
	// Server is a name from the package comment.
	Server string

	// Router is "mux" (http.ServeMux), "chi", "echo" or "gin". If it is empty, a server that has
	// routers uses mux. It must be empty for all other servers.
	Router string

	// Conns is the maximum number of connections at the same time. Servers with a limit (fixed,
	// nginx and hunchentoot) get one that is high enough. Zero means that the server's default is
	// high enough.
	Conns int

	// TLS makes the server serve TLS, with a certificate that it makes for itself. See [Secure].
	TLS bool

	// Procs is the server's GOMAXPROCS, and the number of nginx's workers. Zero means as many as
	// there are processors. Hunchentoot and tornado ignore it.
	Procs int
}

// A kind is what is known about a server before it starts.
type kind struct {
	about   string   // a line with what the name does not say; may be empty
	routers bool     // it serves net/http handlers
	command *command // nil for a server of this executable
	paths   []string // the paths it serves: whole paths, or prefixes
	linux   bool     // it is measured only on Linux
	tls     tlsKind
}

// A tlsKind says whether a server serves TLS here.
type tlsKind int

const (
	noTLS    tlsKind = iota
	onlyTLS          // with HTTP/1.1
	tlsHTTP2         // with HTTP/1.1 and HTTP/2
)

var (
	smallPaths = []string{"/yo", "/sleep/", "/work/"}
	goPaths    = append(slices.Clone(smallPaths), "/bytes/", "/upload")
)

var kinds = map[string]kind{
	"net/http":  {routers: true, paths: goPaths, tls: tlsHTTP2},
	"recycling": {routers: true, paths: goPaths, tls: tlsHTTP2},
	"observed": {
		about:   "recycling with an Observer, an observe.Recorder, which measures each request",
		routers: true, paths: goPaths, tls: tlsHTTP2,
	},
	"fixed": {
		about:   "recycling with strategy fixed, and a worker for each connection",
		routers: true, paths: goPaths, tls: tlsHTTP2,
	},
	"fasthttp": {paths: goPaths, tls: onlyTLS},
	"hertz":    {paths: goPaths},
	"nbio":     {routers: true, paths: goPaths},
	"gnet": {
		about: "it has no HTTP server; here a minimal one stands on it, which parses the header and answers as net/http does",
		paths: smallPaths, linux: true,
	},
	"floor": {
		about: "only accepts, reads, writes the same bytes each time, and closes: what the kernel takes by itself",
		paths: []string{"/yo", "/sleep/"}, // computing would block all connections of its thread
	},
	"nginx":       {about: "its configuration has the answer; there is no handler", paths: []string{"/yo"}, command: nginx},
	"hunchentoot": {about: "a web server in Common Lisp, with a thread for each connection", paths: []string{"/yo", "/sleep/"}, command: hunchentoot},
	"tornado":     {about: "a web server in Python, with one process and one thread", paths: []string{"/yo", "/sleep/"}, command: tornado},
}

// About returns a line with what the name of a server does not say. It is empty if the name says
// enough.
func About(server string) string { return kinds[server].about }

// Serves reports whether a server has that path, such as "/sleep/1".
func Serves(server, path string) bool {
	return slices.ContainsFunc(kinds[server].paths, func(p string) bool {
		return p == path || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
	})
}

// Secure reports whether a server serves TLS here, and whether with HTTP/2.
func Secure(server string) (ok, http2 bool) {
	k := kinds[server]
	return k.tls != noTLS, k.tls == tlsHTTP2
}

// HasRouters reports whether a server serves net/http handlers, and so those of routers.
func HasRouters(server string) bool { return kinds[server].routers }

// Available reports whether a server can be started on this machine. why is a line that says what
// is missing.
//
// The first call for hunchentoot may take minutes, because it compiles the Lisp code.
func Available(server string) (ok bool, why string) {
	k, known := kinds[server]
	if !known {
		return false, fmt.Sprintf("there is no server %q", server)
	}
	if k.linux && runtime.GOOS != "linux" {
		return false, server + " is measured on Linux only"
	}
	if k.command == nil {
		return true, ""
	}
	if _, err := k.command.find(); err != nil {
		return false, fmt.Sprintf("%s is %v", server, err)
	}
	return true, ""
}

// check returns the Spec with the router filled in. Its error names the field and the value.
func (s Spec) check() (Spec, error) {
	k, ok := kinds[s.Server]
	switch {
	case !ok:
		return s, fmt.Errorf("server: Spec.Server is %q, want one of %q", s.Server, slices.Sorted(maps.Keys(kinds)))
	case s.Conns < 0:
		return s, fmt.Errorf("server: Spec.Conns is %d, want zero (the server's default) or more", s.Conns)
	case s.Procs < 0:
		return s, fmt.Errorf("server: Spec.Procs is %d, want zero (all processors) or more", s.Procs)
	case s.TLS && k.tls == noTLS:
		return s, fmt.Errorf("server: Spec.TLS is true, but %s serves no TLS here", s.Server)
	case !k.routers && s.Router != "":
		return s, fmt.Errorf("server: Spec.Router is %q, but %s has no routers", s.Router, s.Server)
	case k.routers && s.Router == "":
		s.Router = "mux"
	case k.routers && routers[s.Router] == nil:
		return s, fmt.Errorf("server: Spec.Router is %q, want one of %q", s.Router, slices.Sorted(maps.Keys(routers)))
	}
	return s, nil
}

func (s Spec) String() string {
	if s.Router == "" {
		return s.Server
	}
	return s.Server + "/" + s.Router
}
