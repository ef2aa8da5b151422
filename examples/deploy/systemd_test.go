package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/examples/internal/progtest"
)

const unitFile = "systemd/recycling-example@.service"

// units returns the service and the socket for port 8080, as files in one folder. The program of
// the service exists.
func units(t *testing.T) (service, socket string) {
	s := replace(t, read(t, unitFile), "/usr/local/bin/recycling-example", built.Path(t))
	service = write(t, "recycling-example@8080.service", s)
	socket = filepath.Join(filepath.Dir(service), "recycling-example@8080.socket")
	if err := os.WriteFile(socket, []byte(read(t, "systemd/recycling-example@.socket")), 0o644); err != nil {
		t.Fatal(err)
	}
	return service, socket
}

// setting returns the last value of a setting of the unit.
func setting(t *testing.T, name string) string {
	t.Helper()
	text := strings.ReplaceAll(read(t, unitFile), "\\\n", " ")
	all := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(text, -1)
	if all == nil {
		t.Fatalf("the unit has no %s", name)
	}
	return all[len(all)-1][1]
}

func TestUnitsAreValid(t *testing.T) {
	analyze := needs(t, "systemd-analyze")
	service, socket := units(t)
	for _, unit := range []string{service, socket} {
		out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("recycling-example")) {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

// The program serves on the socket that systemd passes, and not on another address.
func TestProgramServesOnTheSocketOfTheUnit(t *testing.T) {
	activate := needs(t, "systemd-socket-activate")
	addr, admin := progtest.FreeAddr(t), progtest.FreeAddr(t)
	p := launch(t, io.Discard, activate, "--listen="+addr, "--fdname=web", built.Path(t), "-admin="+admin, "-lame-duck=0s")
	eventually(t, "a response", func() bool {
		_, body := get("http://" + addr + "/yo")
		return body == "Hey you!"
	})
	if err := p.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// The exposure is 1.1 of 10 with systemd 252. Other versions ask for more or less, so the bound
// leaves some room, and the settings that matter most are named.
func TestUnitIsHardened(t *testing.T) {
	for name, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "",
		"ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "MemoryDenyWriteExecute": "yes",
	} {
		if got := setting(t, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	service, _ := units(t)
	cmd := exec.Command(needs(t, "systemd-analyze"), "security", "--no-pager", "--offline=true", "--threshold=15", service)
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("unrecognized option")) {
		t.Skipf("needs a newer systemd-analyze: %s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUnitFitsTheProgram(t *testing.T) {
	words := strings.Fields(strings.ReplaceAll(setting(t, "ExecStart"), "%i", "8080"))
	c := parsed(t, words[1:]...)
	if c.addr != "" || c.admin != "127.0.0.1:18080" {
		t.Errorf("it listens on %q and %q, want the socket and 127.0.0.1:18080", c.addr, c.admin)
	}
	if setting(t, "Type") != "notify" {
		t.Errorf("Type is %s, but the program notifies", setting(t, "Type"))
	}
	stop, err := strconv.Atoi(setting(t, "TimeoutStopSec"))
	if needed := c.lameDuck + c.drainTimeout + 5*time.Second; err != nil || time.Duration(stop)*time.Second < needed {
		t.Errorf("TimeoutStopSec is %d, want at least %v", stop, needed)
	}
	if setting(t, "MemoryMax") != "1G" {
		t.Errorf("MemoryMax is %s, want 1G", setting(t, "MemoryMax"))
	}
	checkMemory(t, strings.TrimPrefix(setting(t, "Environment"), "GOMEMLIMIT="), 1<<30)
}

// TestUnitAllowsTheCallsOfTheProgram compares the system calls that the program makes with those
// that SystemCallFilter allows.
func TestUnitAllowsTheCallsOfTheProgram(t *testing.T) {
	analyze, strace := needs(t, "systemd-analyze"), needs(t, "strace")
	allowed := filter(t, analyze)
	trace := write(t, "trace", "")
	// -D: the process that is started is the program, and strace is its grandchild.
	script := write(t, "app", "#!/bin/sh\nexec "+strace+" -D -f -qq -o "+trace+" "+built.Path(t)+` "$@"`+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	a := startProgram(t, script)
	for _, path := range []string{"/yo", "/sleep/20", "/healthz"} {
		if status, body := get("http://" + a.addr + path); status != 200 {
			t.Fatalf("%s: %d, %s", path, status, body)
		}
	}
	a.stats(t)
	a.stop()
	calls := regexp.MustCompile(`(?m)^\d+ +(\w+)\(`).FindAllStringSubmatch(read(t, trace), -1)
	if len(calls) < 100 {
		t.Skipf("strace has seen only %d system calls", len(calls))
	}
	for _, c := range calls {
		if !allowed[c[1]] {
			t.Errorf("the program calls %s, which the unit does not allow", c[1])
			allowed[c[1]] = true
		}
	}
}

// filter returns the system calls that the unit allows.
func filter(t *testing.T, analyze string) map[string]bool {
	allowed := map[string]bool{}
	add := func(set string, value bool) {
		for _, call := range expand(t, analyze, set) {
			allowed[call] = value
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(read(t, unitFile), -1) {
		for _, set := range strings.Fields(m[2]) {
			add(set, m[1] == "")
		}
	}
	add("@default", true) // always, says systemd.exec(5)
	return allowed
}

// expand returns the system calls of a set.
func expand(t *testing.T, analyze, set string) (calls []string) {
	t.Helper()
	out, err := exec.Command(analyze, "syscall-filter", "--no-pager", set).Output()
	if err != nil {
		t.Fatalf("%s: %v", set, err)
	}
	for line := range strings.Lines(string(out)) {
		switch word := strings.TrimSpace(line); {
		case word == "" || word == set || word[0] == '#':
		case word[0] == '@':
			calls = append(calls, expand(t, analyze, word)...)
		default:
			calls = append(calls, word)
		}
	}
	return slices.Compact(calls)
}
