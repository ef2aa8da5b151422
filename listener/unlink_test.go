package listener_test

import (
	"net"
	"os"
	"testing"

	"github.com/recycling-go/recycling/listener"
)

// TestPathOfASuccessorIsLeft has another socket take over the path while the first one still
// listens.
func TestPathOfASuccessorIsLeft(t *testing.T) {
	for name, again := range map[string]func(*listener.Listener){
		"Listen":           func(*listener.Listener) {},
		"SetUnlinkOnClose": func(l *listener.Listener) { l.SetUnlinkOnClose(false); l.SetUnlinkOnClose(true) },
	} {
		t.Run(name, func(t *testing.T) {
			path := address(t, "unix")
			first := listen(t, listener.Config{}, "unix", path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			second := listen(t, listener.Config{}, "unix", path)
			again(first)
			first.Close()
			nc, err := net.Dial("unix", path)
			if err != nil {
				t.Fatalf("the successor cannot be reached: %v", err)
			}
			nc.Close()
			second.Close()
			if _, err := os.Lstat(path); err == nil {
				t.Error("the successor's path is left behind")
			}
		})
	}
}
