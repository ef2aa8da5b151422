package hosts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Network is a set of hosts that can reach each other. The caller of New owns it, and must call
// Close.
type Network struct {
	Hosts []*Host

	bridge  string   // the namespace
	file    *os.File // of bridge
	cleanup []func() error
}

// networks numbers the networks of this process.
var networks atomic.Int32

// New makes hosts with these names, with folders in dir. The addresses are those of a private
// network that only these hosts see. The error wraps [ErrUnsupported] if this system or user cannot
// have hosts.
func New(ctx context.Context, dir string, names ...string) (*Network, error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: only root may make network namespaces", ErrUnsupported)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("%w: ip is missing (Debian package iproute2): %w", ErrUnsupported, err)
	}
	prefix := fmt.Sprintf("bench-%d-%d-", os.Getpid(), networks.Add(1))
	n := &Network{bridge: prefix + "bridge"}
	if err := n.make(ctx, dir, prefix, names); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Network) make(ctx context.Context, dir, prefix string, names []string) (err error) {
	if err := n.addNamespace(ctx, n.bridge); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if n.file, err = os.Open("/run/netns/" + n.bridge); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "bridge", "type", "bridge"},
		{"address", "add", "10.77.0.254/24", "dev", "bridge"},
		{"link", "set", "bridge", "up"},
	} {
		if err := n.ip(ctx, args...); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	for i, name := range names {
		h := &Host{Name: name, Addr: fmt.Sprintf("10.77.0.%d", i+1), Dir: filepath.Join(dir, name), net: n, namespace: prefix + name}
		if err := h.make(ctx); err != nil {
			return err
		}
		n.Hosts = append(n.Hosts, h)
	}
	return nil
}

func (h *Host) make(ctx context.Context) error {
	if err := os.MkdirAll(h.Dir, 0o777); err != nil {
		return err
	}
	if err := h.net.addNamespace(ctx, h.namespace); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-n", h.net.bridge, "link", "add", h.Name, "type", "veth", "peer", "name", "eth0", "netns", h.namespace},
		{"-n", h.net.bridge, "link", "set", h.Name, "master", "bridge"},
		{"-n", h.net.bridge, "link", "set", h.Name, "up"},
		{"-n", h.namespace, "address", "add", h.Addr + "/24", "dev", "eth0"},
		{"-n", h.namespace, "link", "set", "lo", "up"},
		{"-n", h.namespace, "link", "set", "eth0", "up"},
	} {
		if err := run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) addNamespace(ctx context.Context, name string) error {
	if err := run(ctx, "netns", "add", name); err != nil {
		return err
	}
	n.cleanup = append(n.cleanup, func() error { return run(context.Background(), "netns", "delete", name) })
	return nil
}

// ip runs the command ip in the namespace of the bridge.
func (n *Network) ip(ctx context.Context, args ...string) error {
	return run(ctx, append([]string{"-n", n.bridge}, args...)...)
}

func run(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Close removes everything that was made, except the folders. All processes on the hosts must have
// ended. It may be called several times.
func (n *Network) Close() error {
	var errs []error
	for i := len(n.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, n.cleanup[i]())
	}
	n.cleanup = nil
	if n.file != nil {
		n.file.Close()
		n.file = nil
	}
	return errors.Join(errs...)
}

// Dial dials a host from the network of the bridge, as [net.Dialer.DialContext] does. The address
// must be an IP address and a port.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	type result struct {
		nc  net.Conn
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, os.NewSyscallError("setns", err)}
			return
		}
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		done <- result{nc, err}
	}()
	r := <-done
	return r.nc, r.err
}

// Command returns the program and the arguments that run a program on the host.
func (h *Host) Command(program string, args ...string) (string, []string) {
	return "ip", append([]string{"netns", "exec", h.namespace, program}, args...)
}

// Cut takes the host off the network, so that what is sent to it or by it vanishes. Connections
// stay open on both sides.
func (h *Host) Cut(ctx context.Context) error { return h.net.ip(ctx, "link", "set", h.Name, "down") }

// Heal undoes Cut.
func (h *Host) Heal(ctx context.Context) error { return h.net.ip(ctx, "link", "set", h.Name, "up") }

// Mount gives the host a file system of this size, in bytes, in a new folder of Dir, and returns
// the folder's name. Close of the Network unmounts it.
func (h *Host) Mount(name string, size int64) (string, error) {
	dir := filepath.Join(h.Dir, name)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return "", err
	}
	if err := unix.Mount("bench", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d", size)); err != nil {
		return "", fmt.Errorf("%w: mounting a tmpfs: %w", ErrUnsupported, err)
	}
	h.net.cleanup = append(h.net.cleanup, func() error { return unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, nil
}

// Fill fills the file system of a folder from Mount until nothing more can be written, and returns
// a function that frees the space again.
func Fill(dir string) (free func() error, err error) {
	f, err := os.CreateTemp(dir, "filler-")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file := f.Name()
	for block := make([]byte, 1<<20); len(block) > 0; {
		n, err := f.Write(block)
		switch {
		case errors.Is(err, unix.ENOSPC) && n == 0:
			block = block[:len(block)/2]
		case err != nil && !errors.Is(err, unix.ENOSPC):
			return nil, errors.Join(err, os.Remove(file))
		}
	}
	return func() error { return os.Remove(file) }, nil
}
