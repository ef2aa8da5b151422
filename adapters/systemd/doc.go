// Package systemd serves on the sockets that systemd has opened, and tells systemd when the server
// is ready, that it works, and when it drains.
//
// An application changes only its last line:
//
//	err := systemd.Run(recyclingchi.New(router))  // was: recyclingchi.Serve(router)
//	err := systemd.Run(recyclingecho.New(e))      // was: recyclingecho.Serve(e)
//	err := systemd.Run(recyclinggin.New(engine))  // was: recyclinggin.Serve(engine)
//
// [Run] serves on the sockets of the service's socket unit. Without them it listens on the address
// of the Server, so the same program also runs elsewhere. An application that starts its server
// in another way gets the sockets by [Listener] or [Listeners], and the notifications by the option
// [Notify]:
//
//	web, err := systemd.Listener("web")       // FileDescriptorName=web
//	...
//	secure, err := systemd.Listener("secure")
//	...
//	srv := recycling.New(router, systemd.Notify)
//	go srv.ServeTLS(secure, "cert.pem", "key.pem")
//	err = srv.Run(ctx, func() error { return srv.Serve(web) })
//
// # Unit files
//
//	# app.socket
//	[Socket]
//	ListenStream=80
//	FileDescriptorName=web
//
//	# app.service
//	[Service]
//	Type=notify
//	ExecStart=/usr/local/bin/app
//	WatchdogSec=30
//	TimeoutStopSec=45
//
// The socket unit must have Accept=no, the default. If the service stops, systemd keeps the socket,
// and connections wait for the next start: with "systemctl restart app" none is refused. With
// adapters/upgrade, they need not wait either: its Config.Notify can be [Send], and [Listen]
// returns the socket. TimeoutStopSec should exceed the sum of LameDuck and DrainTimeout of the
// Server, which are 0 and 30 seconds by default.
//
// # Notifications
//
// These states are sent, as described in sd_notify(3):
//
//	READY=1     when the first listener is about to accept; with Run, all of them
//	STOPPING=1  when the server begins to drain; with Run, before LameDuck
//	WATCHDOG=1  twice in each interval of WatchdogSec, while the server works
//
// Without NOTIFY_SOCKET in the environment, nothing is sent. Errors in sending are logged. With
// [Notify], STOPPING=1 is sent on a goroutine of its own. A process that has nothing to drain may
// exit before that; systemd then learns of the end by the exit.
//
// The server works if its [recycling.Server.Stats] can be read, which needs the locks of the
// server, and if it makes progress: if a connection waits for a worker or to be accepted, then some
// connection must have been accepted, closed, refused or served since the last check. A server that
// is full (MaxConns) counts as working, and so does one with a handler that hangs. [NotifyWhile]
// adds a check of the application. If a check fails, WATCHDOG=1 is not sent and the failure is
// logged. After WatchdogSec without WATCHDOG=1, systemd kills the service.
//
// # Systems
//
// The package compiles on all systems. On those without systemd, [Run] is the Run of the Server.
package systemd
