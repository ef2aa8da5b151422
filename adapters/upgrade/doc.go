// Package upgrade replaces a running server by a new version of its program, without refusing a
// connection or losing a request. It is built on tableflip.
//
// An application changes only its last line:
//
//	upgrade.Run(recyclingchi.New(router), upgrade.Config{}) // was: recyclingchi.Serve(router)
//	upgrade.Run(recyclingecho.New(e), upgrade.Config{})     // was: recyclingecho.Serve(e)
//	upgrade.Run(recyclinggin.New(engine), upgrade.Config{}) // was: recyclinggin.Serve(engine)
//
// To upgrade, install the new program under the same name, by renaming it over the old one, and
// send SIGHUP to the process:
//
//	mv app.new /usr/local/bin/app && kill -HUP "$(cat /run/app.pid)"
//
// An [Upgrader] gives more control: several listeners, TLS, Unix sockets.
//
//	u, err := upgrade.New(upgrade.Config{PIDFile: "/run/app.pid"})
//	...
//	web, err := u.Listen("tcp", ":8080")
//	secure, err := u.Listen("tcp", ":8443")
//	local, err := u.Listen("unix", "/run/app.sock")
//	...
//	err = u.Run(ctx, srv,
//		func() error { return srv.Serve(web) },
//		func() error { return srv.ServeTLS(secure, "cert.pem", "key.pem") },
//		func() error { return srv.Serve(local) })
//
// # What happens in an upgrade
//
// The process, here called the predecessor, starts the program again, with the same arguments and
// the same working directory, and passes it the listening sockets. The new process, the successor,
// gets the same sockets from [Upgrader.Listen], initializes, and reports that it is ready when all
// its listeners are about to accept. Until then it accepts nothing. Then the predecessor stops
// accepting, answers the requests that it has, and exits. The sockets are never closed. A
// connection in the kernel's queue is served by one of the two processes.
//
// The predecessor answers further requests on its keep-alive connections, with "Connection: close",
// so that clients move to the successor and no connection is closed while a client sends a request.
// It closes the connections that are still idle after [Config.IdleTime]. Requests in flight then
// have [recycling.Server.DrainTimeout] to end.
//
// The predecessor continues to serve if the successor exits before it is ready, or is not ready
// within [Config.Timeout]; in the latter case, the successor is killed. If the predecessor is
// killed while the successor initializes, the successor continues without it. An upgrade is refused
// while another one is in progress, and until the predecessor of this process has exited. All of
// this is logged.
//
// Files other than the listening sockets are not passed on, and neither are connections. All
// listeners of the program must come from the Upgrader, including one for metrics, or the program
// must wait until the predecessor has closed them, as the page of adapters/status does. Otherwise
// the successor fails, because the address is in use.
//
// The process that was started first exits after the first upgrade. So it must not be process 1 of
// a container, with which the container ends. Under a supervisor, it works only if that follows
// Config.PIDFile or, like systemd, [Config.Notify].
//
// # Under systemd
//
// The main process of the service changes with each upgrade. With [Config.Notify], systemd is told.
// The Server needs the option that sends READY=1 when the first process serves, STOPPING=1, and
// WATCHDOG=1:
//
//	u, err := upgrade.New(upgrade.Config{Notify: systemd.Send}) // of adapters/systemd
//	...
//	srv := recyclingchi.New(router, systemd.Notify)
//
// The unit file then has Type=notify and ExecReload=kill -HUP $MAINPID, or from systemd 253 on
// Type=notify-reload, which makes "systemctl reload" an upgrade.
//
// [Run] does not use sockets that systemd has opened. Get them with [Upgrader.Listener]:
//
//	web, err := u.Listener("web", func() (*listener.Listener, error) {
//		return systemd.Listen(ctx, "web", "tcp", ":8080")
//	})
//	...
//	err = u.Run(ctx, srv, func() error { return srv.Serve(web) })
//
// # Systems
//
// Upgrades work on systems where a process can pass open files to another one that it starts: on
// Unix, but not on Windows, where [New] returns [ErrNotSupported].
package upgrade
