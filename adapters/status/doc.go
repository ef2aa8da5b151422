// Package status shows what a server is doing, on a page for people and as JSON and text for
// programs. One option serves it, on a port of its own:
//
//	err := recycling.Serve(router, status.On(":6060"))
//
// The page is then at http://localhost:6060. Without a host, as here, it listens on localhost only.
// It shows, for each server, whether it serves or drains, its workers, connections and limits, the
// time that requests wait for a worker, the rate and the durations of each route, the refused
// connections, with what to do about them, and the oldest requests in flight.
//
// The page must not be public. It shows paths and addresses of clients, the name of the machine and
// the version of the program, and asks for no password. Nothing serves it unless the application
// says so. To look at it from elsewhere, use ssh -L 6060:localhost:6060, kubectl port-forward, or a
// proxy that authenticates users.
//
// On a port of its own the page is served by net/http, not by the server that it shows. So it can
// be reached when all workers are busy, when MaxConns is reached, and while the server drains. A
// few descriptors are reserved for it, for when the process has no others.
//
// # Formats
//
// A browser gets the page, which updates itself every second while it is visible. Programs get
//
//	?format=json   or with Accept: application/json
//	?format=text   or with Accept: text/plain, or from curl, wget and HTTPie
//	?format=html
//
// Rates and quantiles are those of the last 10 seconds, or of the time since the page was first
// requested, if that is shorter. The first response shows those since the program began. The page
// says which. An unused page costs only the recording of each request.
//
// # Tasks
//
// [Page.Tasks] adds the tasks of package core/offload/task, and the places where they run:
//
//	rec := observe.NewTaskRecorder()
//	place = task.Observe(place, "children", rec)
//	err := recycling.Serve(router, status.On(":6060", func(p *status.Page) { p.Tasks(rec) }))
//
// # In the application's own router
//
// A [Page] is an [http.Handler], for a router that already knows who is an administrator:
//
//	var page status.Page
//	router.Handle("/admin/status", onlyAdmins(&page))
//	err := recycling.Serve(router, page.Server("api"))
//
// Then a request for it is like any other: it waits for a worker, and is refused under overload.
// The path should not end in a slash. Several servers may share a Page.
//
// # Profiles, and the Go runtime
//
// [Page.Handle] adds other handlers, and links to them. Neither net/http/pprof nor a viewer such as
// github.com/arl/statsviz is part of this package:
//
//	import _ "net/http/pprof" // adds handlers to http.DefaultServeMux: keep it private
//
//	status.On(":6060", func(p *status.Page) {
//		p.Handle("/debug/pprof/", "Profiles", http.DefaultServeMux)
//
//		viz := http.NewServeMux()
//		statsviz.Register(viz)
//		p.Handle("/debug/statsviz/", "Go runtime", viz)
//	})
package status
