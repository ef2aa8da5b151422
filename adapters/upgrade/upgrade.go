package upgrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// ErrNotSupported is wrapped by the error of [New] on systems where a process cannot pass its
// sockets to another.
var ErrNotSupported = tableflip.ErrNotSupported

// A Config says how to upgrade. The zero value is ready to use.
type Config struct {
	// Signal starts an upgrade. Nil means SIGHUP. It must not be SIGINT or SIGTERM, which end the
	// process.
	Signal os.Signal

	// Timeout is how long the successor may take to become ready. After that it is killed, and the
	// upgrade has failed. Zero means one minute; negative is an error.
	Timeout time.Duration

	// IdleTime is how long [Upgrader.Run] leaves idle connections of the predecessor open after an
	// upgrade. The response to their next request has "Connection: close". So if a client uses each
	// connection more often than that, none is closed while it sends a request. The process exits
	// earlier if no connection is left. If LameDuck of the Server is longer, that applies. Zero
	// means 5 seconds; negative means that idle connections are closed at once.
	IdleTime time.Duration

	// PIDFile is the path of a file that contains the process ID of the process that serves. A
	// process writes the file when it becomes ready, and leaves it when it exits. Empty means none.
	PIDFile string

	// Listener has the options of the sockets that [Upgrader.Listen] opens.
	Listener listener.Config

	// Notify, if not nil, is called in the predecessor with states in the format of sd_notify(3):
	// "RELOADING=1" when an upgrade begins; then "READY=1" if it has failed, or "MAINPID=" with the
	// process ID of the successor and "READY=1", in two lines, if it has succeeded. Errors are
	// logged.
	Notify func(state string) error

	// Log gets a line for each step of an upgrade. Nil means slog.Default().
	Log *slog.Logger
}

const (
	defaultTimeout  = tableflip.DefaultUpgradeTimeout
	defaultIdleTime = 5 * time.Second
)

func (c *Config) signal() os.Signal {
	if c.Signal == nil {
		return syscall.SIGHUP
	}
	return c.Signal
}

func (c *Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

func (c *Config) idleTime() time.Duration {
	if c.IdleTime == 0 {
		return defaultIdleTime
	}
	return max(c.IdleTime, 0)
}

func (c *Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.Default()
	}
	return c.Log
}

// check returns an error that names the invalid field, if there is one.
func (c *Config) check() error {
	switch {
	case c.Timeout < 0:
		return fmt.Errorf("upgrade: Config.Timeout is %v, want zero (one minute) or more", c.Timeout)
	case c.Signal == os.Interrupt, c.Signal == syscall.SIGTERM, c.Signal == os.Kill:
		return fmt.Errorf("upgrade: Config.Signal is %v, which ends the process", c.Signal)
	case c.Listener.Backlog < 0:
		return fmt.Errorf("upgrade: Config.Listener.Backlog is %d, want zero (the default) or more", c.Listener.Backlog)
	}
	return nil
}

// An Upgrader passes the listening sockets of this process to its successor. A process has at most
// one. All methods may be called concurrently.
type Upgrader struct {
	config  Config
	flip    *tableflip.Upgrader
	signals chan os.Signal
	working sync.WaitGroup     // goroutines of the Upgrader
	end     context.Context    // ends with Stop
	stop    context.CancelFunc // ends end
	done    chan struct{}      // closed when the process has to exit

	upgrading sync.Mutex // held during an upgrade

	mu        sync.Mutex // guards the following
	listeners []shared
	ready     bool // Ready was called
	upgraded  bool // the successor is ready
	over      bool // done is closed
}

// A shared is a listener that the successor gets.
type shared struct {
	*listener.Listener
	own bool // Listen has opened it, here or in a predecessor
}

// New returns the Upgrader of this process, and begins to handle [Config.Signal]. Call it early:
// before that, SIGHUP ends the process. A second call in the same process returns an error, and so
// does an invalid Config.
func New(c Config) (*Upgrader, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	flip, err := tableflip.New(tableflip.Options{UpgradeTimeout: c.timeout(), PIDFile: c.PIDFile})
	if errors.Is(err, ErrNotSupported) {
		return nil, fmt.Errorf("upgrade: on %s a process cannot pass its sockets to another: %w", runtime.GOOS, err)
	}
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	u := &Upgrader{config: c, flip: flip, signals: make(chan os.Signal, 1), done: make(chan struct{})}
	u.end, u.stop = context.WithCancel(context.Background())
	signal.Notify(u.signals, c.signal()) // for good: until the process exits, it must not end it
	u.working.Add(1)
	go u.handleSignals()
	return u, nil
}

// Run runs srv until SIGINT, SIGTERM or an upgrade, with a new [Upgrader]: see [Upgrader.Run]. It
// listens on srv.HTTP.Addr.
func Run(srv *recycling.Server, c Config) error {
	u, err := New(c)
	if err != nil {
		return err
	}
	return u.Run(context.Background(), srv)
}

// Listen returns the predecessor's listener for this network and address, or a new one if there is
// none. The network is "tcp", "tcp4", "tcp6" or "unix". The predecessor must have called Listen
// with the same arguments. Sockets of the predecessor that are not listened on again are closed
// when this process becomes ready.
//
// Call Listen before [Upgrader.Run] or [Upgrader.Ready]; after that it returns an error.
//
// The connections of the listener park. The file of a Unix socket stays when the listener is closed
// after an upgrade, and is removed when the process ends without one.
func (u *Upgrader) Listen(network, address string) (*listener.Listener, error) {
	return u.listen(network+" "+address, true, func() (*listener.Listener, error) {
		return u.config.Listener.Listen(u.end, network, address)
	})
}

// Listener returns the predecessor's listener with this name, or what open returns if there is
// none. It is for sockets that another program has opened:
//
//	l, err := u.Listener("web", func() (*listener.Listener, error) {
//		return systemd.Listener("web")
//	})
//
// Otherwise it is like Listen. open must not call methods of u.
func (u *Upgrader) Listener(name string, open func() (*listener.Listener, error)) (*listener.Listener, error) {
	return u.listen("name "+name, false, open)
}

// kind is the network by which tableflip knows listeners. Tableflip would remove the files of
// sockets whose network is "unix", whether or not they are still those of this process.
const kind = "recycling"

func (u *Upgrader) listen(key string, own bool, open func() (*listener.Listener, error)) (*listener.Listener, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ready || u.over {
		return nil, fmt.Errorf("upgrade: listen %s: too late, this process is ready or has ended", key)
	}
	nl, err := u.flip.Listener(kind, key)
	if err != nil {
		return nil, fmt.Errorf("upgrade: listen %s: %w", key, err)
	}
	if nl != nil {
		l, err := u.adopt(nl)
		if err != nil {
			return nil, fmt.Errorf("upgrade: listen %s: %w", key, err)
		}
		u.listeners = append(u.listeners, shared{l, own})
		return l, nil
	}
	l, err := open()
	if err != nil {
		return nil, err
	}
	if err := u.flip.AddListener(kind, key, l); err != nil {
		l.Close()
		return nil, fmt.Errorf("upgrade: listen %s: %w", key, err)
	}
	l.SetUnlinkOnClose(own) // AddListener has set it to false
	u.listeners = append(u.listeners, shared{l, own})
	return l, nil
}

// adopt turns a listener of package net into one with the options of the Config, and closes it.
func (u *Upgrader) adopt(nl net.Listener) (*listener.Listener, error) {
	defer nl.Close() // a duplicate: tableflip has another
	filer, ok := nl.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("a %T has no file", nl)
	}
	f, err := filer.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return u.config.Listener.FromFile(f)
}

// HasPredecessor reports whether this process was started by an upgrade.
func (u *Upgrader) HasPredecessor() bool { return u.flip.HasParent() }

// Ready reports that this process accepts connections, or is about to, and ends the upgrade that
// has started it. It is for applications that do not call [Upgrader.Run]:
//
//	go srv.Serve(l)
//	if err := u.Ready(); err != nil { ... }
//	<-u.Done()
//	srv.Shutdown(ctx)
//
// An error means that the PID file cannot be written or that the predecessor cannot be told; the
// process should exit, and the predecessor continues. If the predecessor has died, Ready logs that
// and returns nil.
func (u *Upgrader) Ready() error {
	u.mu.Lock()
	first := !u.ready
	u.ready = true // first: whoever sees the PID file may ask for an upgrade
	u.mu.Unlock()
	if u.flip.HasParent() {
		u.sendPID()
	}
	if err := u.flip.Ready(); err != nil {
		if !u.orphaned() {
			return fmt.Errorf("upgrade: %w", err)
		}
		u.config.log().Error("upgrade: the predecessor died during the upgrade; going on without it", "err", err)
	}
	u.mu.Lock()
	if !u.upgraded {
		for _, l := range u.listeners {
			l.SetUnlinkOnClose(l.own)
		}
	}
	follow := first && !u.over && u.flip.HasParent()
	if follow {
		u.working.Add(1)
	}
	u.mu.Unlock()
	if follow {
		go u.restoreOptions()
	}
	return nil
}

// orphanWait is how long it may take to notice that the predecessor has ended. If it has, the pipe
// to it is already broken.
const orphanWait = time.Second

// orphaned reports whether this process has a predecessor that has exited.
func (u *Upgrader) orphaned() bool {
	if !u.flip.HasParent() {
		return false
	}
	ctx, cancel := context.WithTimeout(u.end, orphanWait)
	defer cancel()
	u.flip.WaitForParent(ctx)
	return ctx.Err() == nil
}

// restoreOptions sets the options of the sockets again when the predecessor has exited: when it
// stops accepting, it turns TCP_DEFER_ACCEPT off, which is an option of the socket, and so of both
// processes.
func (u *Upgrader) restoreOptions() {
	defer u.working.Done()
	u.flip.WaitForParent(u.end)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return
	}
	for _, l := range u.listeners {
		if err := u.restore(l.Listener); err != nil && !errors.Is(err, net.ErrClosed) {
			u.config.log().Error("upgrade: cannot set the options of a listener", "addr", l.Addr().String(), "err", err)
		}
	}
}

func (u *Upgrader) restore(l *listener.Listener) error {
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	same, err := u.config.Listener.FromFile(f)
	if err != nil {
		return err
	}
	return same.Close()
}

// Done returns a channel that is closed when the process has to exit: after an upgrade has
// succeeded, or after Stop.
func (u *Upgrader) Done() <-chan struct{} { return u.done }

// Stop ends the Upgrader: no upgrade begins any more, and one in progress fails. The listeners stay
// open. Call it before the listeners are closed: until then this process holds duplicates of their
// sockets, which would stay open. Stop closes the channel of Done, and waits for the goroutines of
// the Upgrader.
func (u *Upgrader) Stop() {
	u.flip.Stop()
	<-u.flip.Exit()
	u.upgrading.Lock()   // waits for Upgrade, which may have succeeded
	u.upgrading.Unlock() //lint:ignore SA2001 waiting for the lock is all it does
	u.stop()
	u.working.Wait()
	u.finish(false)
}

// finish closes done.
func (u *Upgrader) finish(upgraded bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if upgraded {
		u.upgraded = true
		for _, l := range u.listeners {
			l.SetUnlinkOnClose(false) // the file is the successor's
		}
	}
	if !u.over {
		u.over = true
		close(u.done)
	}
}
