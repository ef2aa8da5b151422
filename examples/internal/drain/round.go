package main

import (
	"bytes"
	"context"
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

// round runs program from its start to its end.
func round(ctx context.Context, program, strategy string, clients int) (sum result, err error) {
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

	var signal atomic.Pointer[time.Time]
	var answered, ended sync.WaitGroup
	all := make([]*client, clients)
	answered.Add(clients)
	for i := range all {
		all[i] = &client{addr: addr, request: keepRequest, signal: &signal, first: sync.OnceFunc(answered.Done)}
		if i%2 == 1 {
			all[i].request = closeRequest
		}
		ended.Go(all[i].run)
	}
	// All are at work. Any moment will do.
	answered.Wait()
	time.Sleep(50*time.Millisecond + rand.N(50*time.Millisecond))
	now := time.Now()
	signal.Store(&now)
	cmd.Process.Signal(syscall.SIGTERM)

	err = cmd.Wait()
	ended.Wait()
	for _, c := range all {
		if c.conn != nil {
			c.drop()
		}
		sum.add(c.result)
	}
	if err != nil {
		err = fmt.Errorf("it ended with %w\n%s", err, &out)
	}
	return sum, err
}

// freePort returns an address where nobody listens.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
