package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// roleArg is the first argument of the test binary when it is started as a process. The second one
// names its role.
const roleArg = "role"

// TestMain fails if a goroutine is left after all tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == roleArg {
		play(os.Args[2])
		return
	}
	os.Exit(leak.Main(m, "trial/harness"))
}

func play(role string) {
	switch role {
	case "fail":
		for i := range 20 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		os.Exit(1)
	case "hang":
		fmt.Fprintln(os.Stderr, "hanging")
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("an address")
		time.Sleep(time.Hour)
	case "echo":
		fmt.Println("an address")
		for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "end"; {
			fmt.Fprintln(os.Stderr, "was asked for", in.Text())
			fmt.Println(os.Getenv("ECHO") + in.Text())
		}
	case "listen":
		http.ListenAndServe(os.Getenv("ADDR"), http.NotFoundHandler())
	}
}

func start(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcessRepliesUntilItEnds(t *testing.T) {
	t.Parallel()
	var copied bytes.Buffer
	p := start(t, Command{Args: []string{roleArg, "echo"}, Env: []string{"ECHO=re: "}, Stderr: &copied})
	if p.Addr() != "an address" {
		t.Errorf("the address is %q", p.Addr())
	}
	for _, line := range []string{"this", "that"} {
		if reply, err := p.Ask(line); reply != "re: "+line || err != nil {
			t.Errorf("it replied %q, %v", reply, err)
		}
	}
	if reply, err := p.Ask("end"); err == nil {
		t.Errorf("it replied %q after its end", reply)
	}
	<-p.Done()
	if p.Err() != nil {
		t.Errorf("it ended with %v, want status 0", p.Err())
	}
	if want := "was asked for this\nwas asked for that\n"; p.Log() != want || copied.String() != want {
		t.Errorf("the log is %q, its copy %q, want %q", p.Log(), &copied, want)
	}
	if _, err := p.Ask("more"); err == nil {
		t.Error("it replied after its end")
	}
	p.Stop()
	p.Kill()
}

func TestProcessIsReadyWhenItAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p := start(t, Command{Args: []string{roleArg, "listen"}, Env: []string{"ADDR=" + addr}, Addr: addr})
	if p.Addr() != addr || !answers(t.Context(), addr) {
		t.Errorf("the address is %q, want %q, where a server answers", p.Addr(), addr)
	}
	p.Stop()
	if answers(t.Context(), addr) {
		t.Error("it answers after it was stopped")
	}
}

func TestProcessIsReadyWhenItsLogSaysSo(t *testing.T) {
	t.Parallel()
	p := start(t, Command{Args: []string{roleArg, "hang"}, Ready: "hanging"})
	p.Stop()
	if p.Err() == nil {
		t.Error("it has ended with status 0")
	}
}

func TestProcessThatEndsAtOnceSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Command{"address": {}, "answer": {Addr: "127.0.0.1:1"}, "log": {Ready: "nothing of the sort"}} {
		c.Args = []string{roleArg, "fail"}
		if p, err := Start(t.Context(), c); p != nil || err == nil || !strings.HasPrefix(err.Error(), "it ended\nline 10\n") || !strings.HasSuffix(err.Error(), "\nline 19") {
			t.Errorf("%s: %v, want the last ten lines of the log", name, err)
		}
	}
	if _, err := Start(t.Context(), Command{Program: os.Args[0] + "-is-missing"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is missing: %v", err)
	}
}

func TestProcessThatIsNotReadyInTime(t *testing.T) { // not parallel, because it changes readyLimit
	defer func(d time.Duration) { readyLimit = d }(readyLimit)
	readyLimit = time.Second
	_, err := Start(t.Context(), Command{Args: []string{roleArg, "hang"}})
	if err == nil || !strings.HasPrefix(err.Error(), "it is not ready after 1s") {
		t.Error(err)
	}
}

func TestContextEndsProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Start(ctx, Command{Args: []string{roleArg, "echo"}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-p.Done()
	if p.Err() == nil {
		t.Error("it has ended with status 0")
	}
	if _, err := Start(ctx, Command{Args: []string{roleArg, "echo"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended: %v", err)
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent SIGTERM here")
	}
	args := []string{roleArg, "stubborn"}
	p, begin := start(t, Command{Args: args}), time.Now()
	if p.Kill(); time.Since(begin) > grace/2 {
		t.Errorf("Kill took %v", time.Since(begin))
	}
	p, begin = start(t, Command{Args: args}), time.Now()
	if p.Stop(); time.Since(begin) < grace {
		t.Errorf("Stop took %v, want %v or more", time.Since(begin), grace)
	}
}
