package main

import (
	"go/types"
	"slices"
	"strings"
)

// A verdict is what will happen to a server.
type verdict string

const (
	recycled    verdict = "recycled"
	initialized verdict = "init"
	wrapped     verdict = "listener"
	hijacks     verdict = "hijacks"
	configured  verdict = "configured"
	other       verdict = "other"
)

// verdicts are in the order in which they are explained.
var verdicts = []verdict{recycled, initialized, wrapped, hijacks, configured, other}

var explanations = map[verdict]string{
	recycled:    "the http.Server is served on recycled workers",
	initialized: "packages are being initialized: the http.Server is served by net/http itself, since package auto is not ready",
	wrapped:     "a type of listener: under an http.Server that serves it, each connection holds a worker while it waits, because only its Accept decides which connections to serve",
	hijacks:     "a handler that takes connections for HTTP/2 without TLS away from the server: these are served as before",
	configured:  "the application uses recycling itself: this stays as it is",
	other:       "not an http.Server: served as before",
}

// starts are the functions and methods that start an http.Server, by package.
var starts = map[string][]string{
	"net/http": {
		"ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS",
		"Server.ListenAndServe", "Server.ListenAndServeTLS", "Server.Serve", "Server.ServeTLS",
	},
	"net/http/httptest": {"NewServer", "NewTLSServer", "Server.Start", "Server.StartTLS"},
}

// hijackers are functions that make handlers.
var hijackers = map[string][]string{"golang.org/x/net/http2/h2c": {"NewHandler"}}

// ours are functions and methods of this project. Those of adapters call them.
var ours = map[string][]string{
	corePath: {
		"Serve", "ServeTLS", "Use", "Server.Serve", "Server.ServeTLS", "Server.ListenAndServe", "Server.ListenAndServeTLS",
		"Server.Run", "Server.Listener",
	},
}

// others are the functions and methods of servers that are not http.Servers, by package without
// its major version.
var others = map[string][]string{
	"net/http/fcgi":                             {"Serve"},
	"net/http/cgi":                              {"Serve"},
	"net/rpc":                                   {"Accept", "Server.Accept"},
	"golang.org/x/net/http2":                    {"Server.ServeConn"},
	"google.golang.org/grpc":                    {"Server.Serve"},
	"github.com/quic-go/quic-go/http3":          {"ListenAndServe", "ListenAndServeQUIC", "ListenAndServeTLS", "Server.ListenAndServe", "Server.ListenAndServeTLS", "Server.Serve", "Server.ServeListener"},
	"github.com/valyala/fasthttp":               {"ListenAndServe", "ListenAndServeTLS", "ListenAndServeUNIX", "Serve", "ServeTLS", "Server.ListenAndServe", "Server.ListenAndServeTLS", "Server.ListenAndServeUNIX", "Server.Serve", "Server.ServeTLS", "Server.ServeConn"},
	"github.com/gofiber/fiber":                  {"App.Listen", "App.ListenTLS", "App.Listener"},
	"github.com/panjf2000/gnet":                 {"Run", "Rotate"},
	"github.com/lesismal/nbio/nbhttp":           {"Engine.Start", "Server.Start"},
	"github.com/cloudwego/hertz/pkg/app/server": {"Hertz.Spin", "Hertz.Run"},
}

func isServerPackage(path string) bool {
	_, ok := others[unversioned(path)]
	return ok
}

// unversioned returns an import path without the major version of its module.
func unversioned(importPath string) string {
	var kept []string
	for _, e := range strings.Split(importPath, "/") {
		if len(e) > 1 && e[0] == 'v' && strings.Trim(e[1:], "0123456789") == "" {
			continue
		}
		kept = append(kept, e)
	}
	return strings.Join(kept, "/")
}

// judge returns the name of an object that starts a server, and the verdict on it, or "" for any
// other object.
func judge(o types.Object) (what string, v verdict) {
	if o == nil || o.Pkg() == nil {
		return "", ""
	}
	f, ok := o.(*types.Func)
	if !ok {
		return "", ""
	}
	name := f.Name()
	what = f.Pkg().Name() + "." + name
	if recv := f.Signature().Recv(); recv != nil {
		t, star := recv.Type(), ""
		if p, ok := t.(*types.Pointer); ok {
			t, star = p.Elem(), "*"
		}
		named, ok := t.(*types.Named)
		if !ok {
			return "", ""
		}
		what = "(" + star + f.Pkg().Name() + "." + named.Obj().Name() + ")." + name
		name = named.Obj().Name() + "." + name
	}
	for _, table := range []struct {
		of map[string][]string
		v  verdict
	}{{starts, recycled}, {hijackers, hijacks}, {ours, configured}, {others, other}} {
		if slices.Contains(table.of[unversioned(f.Pkg().Path())], name) {
			return what, table.v
		}
	}
	return "", ""
}
