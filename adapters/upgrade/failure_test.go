//go:build unix

package upgrade_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/adapters/upgrade"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

func TestFailedSuccessorLeavesThePredecessor(t *testing.T) {
	for _, plan := range []string{planExit, planHang, planHalf, planBadCert} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			addr, secure := freePort(t), freePort(t)
			s := start(t, role{
				Listen:  []string{"unix DIR/s", "tcp " + addr, "tls " + secure},
				Timeout: 2 * time.Second,
				States:  "yes",
			})
			l := startLoad(
				&client{network: "tcp", addr: addr, method: "POST"},
				&client{network: "tls", addr: secure, method: "POST", once: true},
				&client{network: "unix", addr: s.dir + "/s", method: "POST", once: true},
			)
			first := s.pid()
			s.plan(plan)
			s.signal(first, syscall.SIGHUP)
			s.awaitLog("upgrade: failed, this process goes on")
			if s.pid() != first {
				t.Errorf("process %d serves, want %d", s.pid(), first)
			}
			for _, c := range []*client{{network: "unix", addr: s.dir + "/s"}, {network: "tcp", addr: addr}} {
				if pid := askOnce(t, c.network, c.addr); pid != first {
					t.Errorf("%s: process %d answers, want %d", c.network, pid, first)
				}
			}
			s.plan(planServe)
			second := s.upgrade()
			l.stop(t, 2)
			b, _ := os.ReadFile(s.role.States)
			if want := fmt.Sprintf("RELOADING=1;READY=1;RELOADING=1;MAINPID=%d,READY=1;", second); string(b) != want {
				t.Errorf("Notify got %q, want %q", b, want)
			}
		})
	}
}

func TestUpgradeDuringAnUpgradeIsRefused(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	first := s.pid()
	s.plan(planSlowReady)
	s.signal(first, syscall.SIGHUP)
	s.awaitLog("starting the successor")
	s.signal(first, syscall.SIGHUP)
	s.awaitLog(`upgrade: refused.*an upgrade is in progress`)
	s.await("the successor is ready", func() bool { return s.pid() != first })
	s.await("the predecessor has exited", func() bool { return !running(first) })
	if pid := askOnce(t, "tcp", addr); pid != s.pid() {
		t.Errorf("process %d answers, want %d", pid, s.pid())
	}
}

func TestUpgradeIsRefusedUntilThePredecessorHasExited(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, IdleTime: 20 * time.Second})
	c := keepAlive(t, addr)
	first := s.pid()
	s.signal(first, syscall.SIGHUP)
	s.await("the successor is ready", func() bool { return s.pid() != first })
	second := s.pid()
	s.awaitLog("this process drains")
	s.signal(second, syscall.SIGHUP)
	s.awaitLog(`upgrade: refused.*predecessor of this process has not exited`)
	s.signal(first, syscall.SIGHUP)
	s.awaitLog(`upgrade: refused.*about to exit`)
	leave(t, s, c)
	s.await("the predecessor has exited", func() bool { return !running(first) })
	s.upgrade()
}

func TestPredecessorKilledDuringAnUpgradeLosesNothingNew(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	first := s.pid()
	s.plan(planSlowReady)
	s.signal(first, syscall.SIGHUP)
	s.awaitLog("starting the successor")
	s.awaitInitializing()
	s.signal(first, syscall.SIGKILL)
	s.await("the predecessor is gone", func() bool { return !running(first) })
	l := startLoad(&client{network: "tcp", addr: addr, method: "POST", once: true})
	s.await("the successor is ready", func() bool { return s.pid() != first })
	s.awaitLog("the predecessor died during the upgrade")
	s.plan(planServe)
	s.upgrade() // which it can in turn
	l.stop(t, 2)
}

func TestPredecessorKilledAfterAnUpgradeTakesOnlyItsConnections(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}, IdleTime: 20 * time.Second})
	keepAlive(t, addr)
	first := s.pid()
	s.signal(first, syscall.SIGHUP)
	s.await("the successor is ready", func() bool { return s.pid() != first })
	s.await("the predecessor accepts nothing more", func() bool { return !listens(t, first, addr) })
	l := startLoad(&client{network: "tcp", addr: addr, method: "POST", once: true})
	s.signal(first, syscall.SIGKILL)
	s.await("the predecessor is gone", func() bool { return !running(first) })
	s.upgrade()
	l.stop(t, 1)
}

func TestSuccessorKilledDuringAnUpgradeLeavesThePredecessor(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr, "unix DIR/s"}})
	l := startLoad(
		&client{network: "tcp", addr: addr, method: "POST"},
		&client{network: "unix", addr: s.dir + "/s", method: "POST", once: true},
	)
	first := s.pid()
	s.plan(planHang)
	s.signal(first, syscall.SIGHUP)
	successor := s.awaitInitializing()
	s.signal(successor, syscall.SIGKILL)
	s.awaitLog("upgrade: failed, this process goes on")
	s.plan(planServe)
	s.upgrade()
	l.stop(t, 2)
}

// awaitInitializing waits until the successor has an Upgrader, and returns its process ID.
func (s *service) awaitInitializing() (pid int) {
	s.t.Helper()
	s.await("the successor initializes", func() bool {
		for line := range strings.Lines(s.logged()) {
			if strings.HasSuffix(line, " initializes\n") {
				_, err := fmt.Sscanf(line, "pid=%d", &pid)
				return err == nil
			}
		}
		return false
	})
	return pid
}

func TestPIDFileThatCannotBeWrittenFailsTheUpgrade(t *testing.T) {
	addr := freePort(t)
	s := start(t, role{Listen: []string{"tcp " + addr}})
	first := s.pid()
	s.plan(planBadPID)
	s.signal(first, syscall.SIGHUP)
	s.awaitLog("upgrade: failed, this process goes on")
	s.awaitLog("ended: .*PID file")
	if pid := askOnce(t, "tcp", addr); pid != first {
		t.Errorf("process %d answers, want %d", pid, first)
	}
}

func TestBadConfigIsAnError(t *testing.T) {
	for want, c := range map[string]upgrade.Config{
		"Config.Timeout is -1s":         {Timeout: -time.Second},
		"Config.Signal is terminated":   {Signal: syscall.SIGTERM},
		"Config.Signal is interrupt":    {Signal: os.Interrupt},
		"Config.Listener.Backlog is -1": {Listener: listener.Config{Backlog: -1}},
	} {
		if _, err := upgrade.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want %s", err, want)
		}
	}
	t.Setenv("PORT", "x")
	err := upgrade.Run(recycling.New(nil), upgrade.Config{})
	if err != nil && strings.Contains(err.Error(), "single") {
		t.Skip("a process has one Upgrader, and an earlier run of this test has had it")
	}
	if err == nil || !strings.Contains(err.Error(), `Addr is empty`) || !strings.Contains(err.Error(), `PORT is "x"`) {
		t.Errorf("Run returned %v, want an error that names Addr and PORT", err)
	}
	if _, err := upgrade.New(upgrade.Config{}); err == nil || !strings.Contains(err.Error(), "single") {
		t.Errorf("a second New returned %v", err)
	}
}
