package upgrade

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Reasons to refuse an upgrade.
var (
	errBusy     = errors.New("an upgrade is in progress")
	errNotReady = errors.New("this process is not ready")
	errNotAlone = errors.New("the predecessor of this process has not exited")
	errOver     = errors.New("this process is about to exit")
)

// handleSignals starts an upgrade for each signal, until Stop.
func (u *Upgrader) handleSignals() {
	defer u.working.Done()
	for {
		select {
		case <-u.signals:
			u.working.Add(1)
			go u.upgradeOnSignal()
		case <-u.end.Done():
			return
		}
	}
}

func (u *Upgrader) upgradeOnSignal() {
	defer u.working.Done()
	u.Upgrade() // which logs
}

// Upgrade starts the successor, and waits until it is ready. It does what [Config.Signal] does. If
// it returns nil, the channel of Done is closed. If it returns an error, which has been logged too,
// this process continues. That is so if the process is not ready yet, if another upgrade is in
// progress, if the predecessor of this process has not exited, and if the successor cannot be
// started, exits, or exceeds [Config.Timeout].
func (u *Upgrader) Upgrade() error {
	if !u.upgrading.TryLock() {
		return u.refuse(errBusy)
	}
	defer u.upgrading.Unlock()
	u.mu.Lock()
	ready, over := u.ready, u.over
	u.mu.Unlock()
	switch {
	case over:
		return u.refuse(errOver)
	case !ready:
		return u.refuse(errNotReady)
	case !u.alone():
		u.notify("RELOADING=1") // systemd may be waiting for the end of a reload
		u.notify("READY=1")
		return u.refuse(errNotAlone)
	}
	u.config.log().Info("upgrade: starting the successor")
	u.notify("RELOADING=1")
	pid, err := u.startSuccessor()
	if err != nil {
		u.notify("READY=1")
		u.config.log().Error("upgrade: failed, this process goes on", "err", err)
		return fmt.Errorf("upgrade: %w", err)
	}
	if pid > 0 {
		u.notify(fmt.Sprintf("MAINPID=%d\nREADY=1", pid))
	}
	u.config.log().Info("upgrade: the successor is ready, this process drains", "pid", pid)
	u.finish(true)
	return nil
}

func (u *Upgrader) refuse(why error) error {
	u.config.log().Warn("upgrade: refused", "err", why)
	return fmt.Errorf("upgrade: %w", why)
}

func (u *Upgrader) notify(state string) {
	if u.config.Notify == nil {
		return
	}
	if err := u.config.Notify(state); err != nil {
		u.config.log().Error("upgrade: Config.Notify failed", "state", state, "err", err)
	}
}

// pidFile is the name of the pipe through which a successor sends its process ID: tableflip does
// not tell it.
const pidFile = "recycling-pid"

// startSuccessor starts the successor, and waits until it is ready. It returns its process ID, or
// zero if the successor has not sent that.
func (u *Upgrader) startSuccessor() (pid int, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	err = u.flip.AddFile(pidFile, w) // a duplicate
	w.Close()
	if err != nil {
		return 0, err
	}
	err = u.flip.Upgrade()
	for range lateTries {
		if err == nil || err.Error() != notAloneText && err.Error() != notReadyText {
			break
		}
		time.Sleep(time.Millisecond)
		err = u.flip.Upgrade()
	}
	if err != nil {
		return 0, err
	}
	return readPID(r), nil
}

// Errors of tableflip. The goroutine of tableflip that upgrades gets to know that this process is
// ready, or that its predecessor has exited, a moment after the Upgrader does. Then the upgrade is
// tried again. If a version of tableflip has other texts, it is refused.
const (
	notAloneText = "parent hasn't exited"
	notReadyText = "process is not ready yet"
	lateTries    = 100
)

// aloneWait is how long an upgrade waits for a predecessor that is exiting.
const aloneWait = time.Second

// alone reports whether there is no predecessor, or none any more.
func (u *Upgrader) alone() bool {
	if !u.flip.HasParent() {
		return true
	}
	ctx, cancel := context.WithTimeout(u.end, aloneWait)
	defer cancel()
	u.flip.WaitForParent(ctx)
	return ctx.Err() == nil
}

// readPID returns the process ID that sendPID has written to r, or zero. The successor has written
// it before it became ready.
func readPID(r *os.File) int {
	r.SetReadDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReaderSize(r, 32).ReadSlice('\n')
	if err != nil {
		return 0
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(string(line)), 10, 31)
	if err != nil {
		return 0
	}
	return int(pid)
}

// sendPID sends the process ID of this process to its predecessor. A predecessor that does not get
// it does not tell it to Config.Notify, and logs zero.
func (u *Upgrader) sendPID() {
	f, err := u.flip.File(pidFile)
	if err != nil || f == nil {
		return
	}
	defer f.Close()
	f.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintln(f, os.Getpid())
}
