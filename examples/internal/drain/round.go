package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// build builds a framework's application.
func build(ctx context.Context, dir, framework string) (program string, err error) {
	program = filepath.Join(dir, framework)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/recycling-go/recycling/examples/internal/scenario/"+framework)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// errEarly is the error for a program that ended before it was told to.
var errEarly = errors.New("the program ended before it was told to")

// round runs program from its start to its end. It tries again if another process has begun to
// listen on the address first.
func round(ctx context.Context, program, strategy string, clients int) (sum result, err error) {
	for range 5 {
		if sum, err = tryRound(ctx, program, strategy, clients); !errors.Is(err, errEarly) {
			break
		}
	}
	return sum, err
}

func tryRound(ctx context.Context, program, strategy string, clients int) (sum result, err error) {
	addr, err := freePort()
	if err != nil {
		return sum, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), "ADDR="+addr, recycling.EnvStrategy+"="+strategy, recycling.EnvMaxWorkers+"=4096")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return sum, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	var signal atomic.Pointer[time.Time]
	var over atomic.Bool
	var answered, ended sync.WaitGroup
	all := make([]*client, clients)
	answered.Add(clients)
	for i := range all {
		all[i] = &client{addr: addr, request: keepRequest, signal: &signal, over: &over, first: sync.OnceFunc(answered.Done)}
		if i%2 == 1 {
			all[i].request = closeRequest
		}
		ended.Go(all[i].run)
	}
	working := make(chan struct{})
	go func() {
		answered.Wait()
		// All clients are active now. Stop the program at a random moment.
		time.Sleep(50*time.Millisecond + rand.N(50*time.Millisecond))
		close(working)
	}()
	select {
	case <-working:
		now := time.Now()
		signal.Store(&now)
		cmd.Process.Signal(syscall.SIGTERM)
		err = <-exited
	case err = <-exited:
		over.Store(true)
		err = fmt.Errorf("%w: %w", errEarly, cmp.Or(err, errors.New("exit code 0")))
	}
	ended.Wait()
	for _, c := range all {
		if c.conn != nil {
			c.drop()
		}
		sum.add(c.result)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", program, err, &out)
	}
	return sum, err
}

// freePort returns an address on which nobody listens. Another program is unlikely to take it
// meanwhile: on Linux all of 127.0.0.0/8 is loopback, and other programs use 127.0.0.1. Other
// systems have no 127.77.0.1.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.77.0.1:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
