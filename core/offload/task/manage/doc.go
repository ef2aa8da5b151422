// Package manage serves a [task.Manager] over HTTP: to see how many workers each group of tasks
// has, to add and remove some, and to restart them without losing a task.
//
//	mux.Handle("/tasks", manage.Handler(place)) // on an address that only operators can reach
//
// The command github.com/recycling-go/recycling/core/cmd/tasks is its client, and curl is another:
//
//	curl http://127.0.0.1:9091/tasks
//	curl -d action=add -d group=thumbnails -d n=2 http://127.0.0.1:9091/tasks
//	curl -d action=restart -d group=thumbnails http://127.0.0.1:9091/tasks
//
// # Who may use it
//
// Nothing serves the handler unless the application says so, and it asks for no password: whoever
// can send it a request can remove workers. So it belongs on a loopback address, a Unix socket or
// an internal network, or behind a handler that knows who is an administrator; not beside the
// routes of the public. The page of adapters/status has such an address, and can serve both:
//
//	status.On("127.0.0.1:9091", func(p *status.Page) {
//		p.Handle("/tasks", "Tasks", manage.Handler(place))
//	})
//
// Web sites cannot use it through the browser of an operator: requests from other origins are
// refused, as [http.CrossOriginProtection] does, and on a loopback address so are those whose Host
// is neither localhost nor an IP address (DNS rebinding).
package manage
