package listener_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	code := m.Run()
	if code == 0 {
		code = leaked()
	}
	os.Exit(code)
}

// leaked returns 1 if goroutines that run code of this package or its tests are left.
func leaked() int {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		buf := make([]byte, 1<<20)
		all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
		var left []string
		for _, g := range all[1:] { // the first is this one
			if strings.Contains(g, "recycling/listener") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return 0
		}
		if time.Since(start) > 5*time.Second {
			fmt.Printf("leaked goroutines:\n\n%s\n", strings.Join(left, "\n\n"))
			return 1
		}
	}
}

// childEnv makes the test binary run as a child that serves one connection on descriptor 3.
const childEnv = "LISTENER_TEST_CHILD"

func child() {
	l, err := listener.FromFile(os.NewFile(3, "inherited"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c, err := l.Accept()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	io.WriteString(c, "child")
	c.Close()
	os.Exit(0)
}
