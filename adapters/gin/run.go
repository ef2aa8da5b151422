package recyclinggin

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/gin-gonic/gin"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// Run serves engine as [gin.Engine.Run] does, until SIGINT or SIGTERM. The address is addr, or else
// ":" and PORT, or else ":8080". Run panics if addr has two elements or more.
func Run(engine *gin.Engine, addr ...string) (err error) {
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine)
	s.HTTP.Addr = resolveAddress(addr)
	debugPrint("Listening and serving HTTP on %s\n", s.HTTP.Addr)
	return s.Run(context.Background(), nil)
}

// RunTLS serves engine as [gin.Engine.RunTLS] does, until SIGINT or SIGTERM. An empty address means
// ":https".
func RunTLS(engine *gin.Engine, addr, certFile, keyFile string, options ...recycling.Option) (err error) {
	debugPrint("Listening and serving HTTPS on %s\n", addr)
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine, options...)
	s.HTTP.Addr = addr
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// RunUnix serves engine as [gin.Engine.RunUnix] does, until SIGINT or SIGTERM. The socket file is
// removed as soon as the server stops accepting. Requests in flight are answered after that, while
// another process may already use the path.
func RunUnix(engine *gin.Engine, file string, options ...recycling.Option) (err error) {
	debugPrint("Listening and serving HTTP on unix:/%s", file)
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	l, err := listener.Listen(context.Background(), "unix", file)
	if err != nil {
		return err
	}
	defer l.Close()
	s := New(engine, options...)
	return s.Run(context.Background(), func() error { return s.Serve(l) })
}

// RunFd serves engine as [gin.Engine.RunFd] does, until SIGINT or SIGTERM. It closes fd.
func RunFd(engine *gin.Engine, fd int, options ...recycling.Option) (err error) {
	debugPrint("Listening and serving HTTP on fd@%d", fd)
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	f := os.NewFile(uintptr(fd), fmt.Sprintf("fd@%d", fd))
	l, err := listener.FromFile(f)
	f.Close() // clients can connect while it is open
	if err != nil {
		return err
	}
	return RunListener(engine, l, options...)
}

// RunListener serves engine as [gin.Engine.RunListener] does, until SIGINT or SIGTERM. It closes l.
func RunListener(engine *gin.Engine, l net.Listener, options ...recycling.Option) (err error) {
	debugPrint("Listening and serving HTTP on listener what's bind with address@%s", l.Addr())
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine, options...)
	return s.Run(context.Background(), func() error { return s.Serve(l) })
}
