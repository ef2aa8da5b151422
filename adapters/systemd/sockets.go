package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/recycling-go/recycling/listener"
)

// ErrNoSocket is wrapped by the error of [Listener] if systemd has passed no socket of that name,
// or none that is left.
var ErrNoSocket = errors.New("no socket of this name from systemd")

// sockets are those that systemd has passed to this process, and that no caller has taken.
var sockets struct {
	mu    sync.Mutex
	read  bool // the environment
	err   error
	names []string // of all
	other string   // LISTEN_PID, if that is another process
	left  []*os.File
}

// Listener returns the socket with this name: the FileDescriptorName of its socket unit, which by
// default is the name of the unit, such as "app.socket". Each socket is returned once. If several
// have the same name, they are returned one after the other. If the name is "", Listener returns
// the first socket that is left. The error wraps [ErrNoSocket] if there is none.
//
// The connections of the listener park. Its path, if it is a Unix socket, is left to systemd.
//
// Listener and [Listeners] return an error if the environment is not as systemd sets it
// (sd_listen_fds(3)), or if a descriptor is not a listening TCP or Unix stream socket, such as one
// of a socket unit with Accept=yes. They remove LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the
// environment, so that child processes do not take them for their own.
func Listener(name string) (*listener.Listener, error) {
	sockets.mu.Lock()
	defer sockets.mu.Unlock()
	if err := readLocked(); err != nil {
		return nil, err
	}
	for i, f := range sockets.left {
		if name == "" || f.Name() == name {
			return takeLocked(i)
		}
	}
	if sockets.other != "" {
		return nil, fmt.Errorf("systemd: socket %q: %w: LISTEN_PID is %s, but this process is %d", name, ErrNoSocket, sockets.other, os.Getpid())
	}
	return nil, fmt.Errorf("systemd: socket %q: %w: it has passed %q", name, ErrNoSocket, sockets.names)
}

// Listen returns the socket with this name, as [Listener] does. If systemd has passed no socket at
// all to this process, Listen opens one, so that the same program also runs elsewhere. The network
// and address are those of [listener.Listen]. With adapters/upgrade, the first process calls it:
//
//	web, err := u.Listener("web", func() (*listener.Listener, error) {
//		return systemd.Listen(ctx, "web", "tcp", ":8080")
//	})
func Listen(ctx context.Context, name, network, address string) (*listener.Listener, error) {
	l, err := Listener(name)
	if errors.Is(err, ErrNoSocket) && nonePassed() {
		return listener.Listen(ctx, network, address)
	}
	return l, err
}

// nonePassed reports whether systemd has passed no socket at all to this process.
func nonePassed() bool {
	sockets.mu.Lock()
	defer sockets.mu.Unlock()
	return len(sockets.names) == 0
}

// Listeners returns all sockets that [Listener] has not returned, in the order of the unit files.
// It returns none, and no error, if this process was not started by socket activation.
func Listeners() (all []*listener.Listener, err error) {
	sockets.mu.Lock()
	defer sockets.mu.Unlock()
	if err := readLocked(); err != nil {
		return nil, err
	}
	for len(sockets.left) > 0 {
		l, err := takeLocked(0)
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// takeLocked removes a socket from those that are left, and returns its listener.
func takeLocked(i int) (*listener.Listener, error) {
	f := sockets.left[i]
	sockets.left = append(sockets.left[:i:i], sockets.left[i+1:]...)
	defer f.Close()
	l, err := listener.FromFile(f)
	if err != nil {
		return nil, fmt.Errorf("systemd: socket %q: %w", f.Name(), err)
	}
	return l, nil
}

// readLocked reads the environment, once.
func readLocked() error {
	if sockets.read {
		return sockets.err
	}
	sockets.read = true
	n, err := checkEnv()
	if err != nil {
		sockets.err = fmt.Errorf("systemd: %w", err)
		return sockets.err
	}
	if n == 0 {
		return nil
	}
	sockets.left = activation.Files(true)
	for _, f := range sockets.left {
		sockets.names = append(sockets.names, f.Name())
	}
	return nil
}

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// checkEnv returns how many sockets systemd has passed, according to the environment. Package
// activation ignores an environment that is wrong.
func checkEnv() (n int, err error) {
	pid, fds := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid == "" && fds == "" {
		return 0, nil
	}
	p, err := strconv.Atoi(pid)
	if err != nil || p <= 0 {
		return 0, fmt.Errorf("LISTEN_PID is %q, want a process ID", pid)
	}
	if p != os.Getpid() { // sd_listen_fds ignores these too
		sockets.other = pid
		return 0, nil
	}
	n, err = strconv.Atoi(fds)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("LISTEN_FDS is %q, want a number of sockets", fds)
	}
	// There cannot be more than are open, so a huge number ends here.
	for i := range n {
		if !isOpen(firstDescriptor + i) {
			return 0, fmt.Errorf("LISTEN_FDS is %d, but descriptor %d is not open", n, firstDescriptor+i)
		}
	}
	if names, ok := os.LookupEnv("LISTEN_FDNAMES"); ok && n > 0 {
		if got := len(strings.Split(names, ":")); got != n {
			return 0, fmt.Errorf("LISTEN_FDNAMES is %q, which has %d names, but LISTEN_FDS is %d", names, got, n)
		}
	}
	return n, nil
}
