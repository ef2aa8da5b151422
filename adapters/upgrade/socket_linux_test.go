package upgrade_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listens reports whether a process has the socket that listens on addr, an IPv4 address.
func listens(t *testing.T, pid int, addr string) bool {
	t.Helper()
	port := netip.MustParseAddrPort(addr).Port()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		// sl, local and remote address, state (0A is TCP_LISTEN), ..., inode: see proc_net_tcp.
		f := strings.Fields(line)
		if len(f) < 10 || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) || f[3] != "0A" {
			continue
		}
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if to, _ := os.Readlink(name); to == "socket:["+f[9]+"]" {
				return true
			}
		}
	}
	return false
}
