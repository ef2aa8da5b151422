package roll_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/roll"
)

// TestMain makes the test binary a server when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roll.ServerArg {
		if err := roll.ServerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// installed skips the test unless the proxies are installed.
func installed(t *testing.T, proxies ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, name := range proxies {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("needs ", name)
		}
	}
}

func TestNoRequestFailsWhileServersRestartInTurn(t *testing.T) {
	installed(t, "nginx", "haproxy")
	var out bytes.Buffer
	err := roll.Run(t.Context(), roll.Config{Servers: []string{"recycling"}, Duration: 10 * time.Second}, nil, &out)
	if err != nil {
		t.Error(err)
	}
	t.Log("\n" + out.String())
}

// HAProxy checks Ready, so that the rest of LameDuck is skipped.
func TestHealthChecksShortenLameDuck(t *testing.T) {
	installed(t, "haproxy")
	c := roll.Config{Servers: []string{"recycling"}, Proxies: []string{"haproxy"}, Duration: time.Second, LameDuck: 15 * time.Second, Pause: 500 * time.Millisecond}
	var out bytes.Buffer
	begin := time.Now()
	if err := roll.Run(t.Context(), c, nil, &out); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d >= c.LameDuck {
		t.Errorf("it took %v, want less than LameDuck, %v", d, c.LameDuck)
	}
	t.Log("\n" + out.String())
}

func TestUnknownProxyIsNamed(t *testing.T) {
	if err := roll.Run(t.Context(), roll.Config{Proxies: []string{"varnish"}}, nil, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "varnish") || errors.Is(err, roll.ErrFailed) {
		t.Errorf("Run returned %v, want an error that names the proxy", err)
	}
}
