package auto

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// isExcepted reports whether RECYCLING_EXCEPT lists l's address or that of s.
func isExcepted(s *http.Server, l net.Listener) (bool, error) {
	found := false
	for _, entry := range strings.Split(os.Getenv(EnvExcept), ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if err := checkEntry(entry); err != nil {
			return false, err
		}
		found = found || entry == s.Addr || matches(entry, l.Addr())
	}
	return found, nil
}

func isPath(entry string) bool { return strings.HasPrefix(entry, "@") || strings.Contains(entry, "/") }

func checkEntry(entry string) error {
	if isPath(entry) {
		return nil
	}
	_, port, err := net.SplitHostPort(entry)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("recycling: %s has %q, want HOST:PORT, :PORT or the path of a Unix socket", EnvExcept, entry)
	}
	return nil
}

func matches(entry string, addr net.Addr) bool {
	if addr == nil {
		return false
	}
	if entry == addr.String() {
		return true
	}
	if isPath(entry) {
		return false
	}
	host, port, _ := net.SplitHostPort(entry)
	gotHost, gotPort, err := net.SplitHostPort(addr.String())
	if err != nil || port != gotPort {
		return false
	}
	if host == "" {
		return true
	}
	a, b := net.ParseIP(host), net.ParseIP(gotHost)
	return a != nil && (a.Equal(b) || a.IsUnspecified() && b.IsUnspecified())
}
