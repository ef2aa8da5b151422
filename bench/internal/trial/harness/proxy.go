package harness

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// proxyArgs returns the arguments with which a proxy runs in the foreground, with the configuration
// in a file and other files in a folder.
var proxyArgs = map[string]func(dir, conf string) []string{
	"nginx":   func(dir, conf string) []string { return []string{"-p", dir, "-c", conf} },
	"haproxy": func(dir, conf string) []string { return []string{"-db", "-f", conf} },
}

// StartProxy starts the proxy with this name, "nginx" or "haproxy", in front of servers. conf is
// its configuration, a format for package fmt with these arguments: dir, a folder that exists and
// is the proxy's own; the address of the proxy, which is ready when it responds; and those of the
// servers.
func StartProxy(ctx context.Context, name, conf, dir string, servers ...string) (*Process, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	args := []any{dir, addr}
	for _, s := range servers {
		args = append(args, s)
	}
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, conf, args...), 0o666); err != nil {
		return nil, err
	}
	return Start(ctx, Command{Program: name, Args: proxyArgs[name](dir, file), Addr: addr})
}

// FreeAddr returns an address on which nobody listens. Another program is unlikely to take it
// meanwhile: on Linux all of 127.0.0.0/8 is loopback, and other programs use 127.0.0.1. Other
// systems have no 127.77.0.2.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.77.0.2:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
