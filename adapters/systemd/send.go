package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// retired is set when this process has told systemd that another one is the main process.
var retired struct {
	mu sync.Mutex
	is bool
}

// Send sends states to systemd, in the format of sd_notify(3): "READY=1", or several on lines of
// their own. It does nothing if NOTIFY_SOCKET is not in the environment.
//
// To "RELOADING=1" it adds MONOTONIC_USEC, which Type=notify-reload requires. Once it has sent a
// MAINPID other than that of this process, it sends nothing more: what this process does no longer
// concerns systemd. So Send can be the Config.Notify of adapters/upgrade.
func Send(states string) error {
	retired.mu.Lock()
	defer retired.mu.Unlock()
	if retired.is {
		return nil
	}
	for line := range strings.Lines(states) {
		line = strings.TrimSuffix(line, "\n")
		if line == daemon.SdNotifyReloading && !strings.Contains(states, "MONOTONIC_USEC=") {
			states = strings.TrimSuffix(states, "\n") + "\n" + daemon.SdNotifyMonotonicUsec()
		}
		if pid, ok := strings.CutPrefix(line, "MAINPID="); ok && pid != strconv.Itoa(os.Getpid()) {
			retired.is = true
		}
	}
	if _, err := daemon.SdNotify(false, states); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	return nil
}

// watchdogInterval returns the interval of the watchdog of systemd, or zero if there is none.
//
// WATCHDOG_PID is the process that is watched. After an upgrade the successor inherits it from its
// parent, and takes its place. So each process that is watched sets it to its own ID. That must
// happen before the successor is ready, while its parent still exists.
func watchdogInterval() (time.Duration, error) {
	if os.Getenv("WATCHDOG_PID") == strconv.Itoa(os.Getppid()) {
		os.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	}
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("systemd: WATCHDOG_USEC is %q, WATCHDOG_PID is %q: %w", os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"), err)
	}
	return d, nil
}
