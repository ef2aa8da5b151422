package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Spec says which server to start, with which router.
type Spec struct {
	// Server is a name from the package comment.
	Server string

	// Router is "mux", which is http.ServeMux, "chi", "echo" or "gin". Empty means mux for a server that has routers, and
	// must be empty for all others.
	Router string

	// Conns is how many connections there will be at the same time at most. A server that has a limit gets one that is
	// high enough: pool, nginx and hunchentoot. Zero means that the server's default is high enough.
	Conns int

	// Procs is GOMAXPROCS of the server, and the number of nginx's workers. Zero means as many as there are
	// processors. Hunchentoot and tornado take no notice of it.
	Procs int
}

// A kind is what there is to know of a server before it is started.
type kind struct {
	routers bool     // it serves net/http handlers
	command *command // nil for a server of this executable
	paths   []string // what it serves: prefixes, or the whole path
}

var goPaths = []string{"/yo", "/sleep/", "/work/"}

var kinds = map[string]kind{
	"net/http":    {routers: true, paths: goPaths},
	"recycling":   {routers: true, paths: goPaths},
	"pool":        {routers: true, paths: goPaths},
	"fasthttp":    {paths: goPaths},
	"hertz":       {paths: goPaths},
	"floor":       {paths: []string{"/yo", "/sleep/"}}, // one handler at work would hold up every connection of its thread
	"nginx":       {paths: []string{"/yo"}, command: nginx},
	"hunchentoot": {paths: []string{"/yo", "/sleep/"}, command: hunchentoot},
	"tornado":     {paths: []string{"/yo", "/sleep/"}, command: tornado},
}

// Serves reports whether a server has that path, such as "/sleep/1".
func Serves(server, path string) bool {
	return slices.ContainsFunc(kinds[server].paths, func(p string) bool {
		return p == path || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
	})
}

// HasRouters reports whether a server serves net/http handlers, and so those of routers.
func HasRouters(server string) bool { return kinds[server].routers }

// Available reports whether a server can be started on this machine. Why is a line that says what is missing.
//
// The first call for hunchentoot may take minutes, because its Lisp is compiled then.
func Available(server string) (ok bool, why string) {
	k, known := kinds[server]
	if !known {
		return false, fmt.Sprintf("there is no server %q", server)
	}
	if k.command == nil {
		return true, ""
	}
	if _, err := k.command.find(); err != nil {
		return false, fmt.Sprintf("%s is %v", server, err)
	}
	return true, ""
}

// check returns the Spec with the router filled in. An error names the field and the value.
func (s Spec) check() (Spec, error) {
	k, ok := kinds[s.Server]
	switch {
	case !ok:
		return s, fmt.Errorf("server: Spec.Server is %q, want one of %q", s.Server, slices.Sorted(maps.Keys(kinds)))
	case s.Conns < 0:
		return s, fmt.Errorf("server: Spec.Conns is %d, want zero (the server's default) or more", s.Conns)
	case s.Procs < 0:
		return s, fmt.Errorf("server: Spec.Procs is %d, want zero (all processors) or more", s.Procs)
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
