package embedded_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

const (
	workerVariable = "EMBEDDED_TEST_WORKER"
	childVariable  = "EMBEDDED_TEST_CHILD"
)

// A workerProcess is what the test tells a process that is a worker.
type workerProcess struct {
	URL     string
	Name    string
	Workers int
	Slots   offload.Slots
	Queue   int // as the client's: the worker creates the streams too
	Wait    time.Duration
}

// smallBacklog is what a stream of one of many instances may reserve.
const smallBacklog = 4 << 20

func TestMain(m *testing.M) {
	if s := os.Getenv(workerVariable); s != "" {
		if err := runWorker(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(childVariable) != "" {
		child.Main(&tasktest.Tasks)
	}
	// If nats.go 1.51 cleans up a publisher before the publisher's goroutine has begun, that
	// goroutine waits for ever. A connection that is left is found by its other goroutines.
	const never = "!jetstream.(*jetStream).resetPendingAcksOnReconnect"
	os.Exit(leak.Main(m, "adapters/nats", "nats-io/nats.go", "nats-io/nats-server", never))
}

func runWorker(s string) error {
	var p workerProcess
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() { // the test holds the other end of the pipe
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	return recyclingnats.Serve(ctx, recyclingnats.Config{
		URL: p.URL, Name: p.Name, BacklogBytes: smallBacklog, Queue: p.Queue, Wait: p.Wait,
	}, &tasktest.Tasks,
		recyclingnats.WorkerConfig{Workers: p.Workers, Slots: p.Slots, Grace: -1})
}

// keepWorker runs a process that is a worker until the function that it returns is called, and
// another one when it ends before.
func keepWorker(t testing.TB, p workerProcess) (stop func()) {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), workerVariable+"="+string(b))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Error(err)
				return
			}
			cmd.Cancel = in.Close
			cmd.WaitDelay = 10 * time.Second
			_ = cmd.Run() // a task may have killed it
			_ = in.Close()
		}
	})
	return func() {
		cancel()
		all.Wait()
	}
}

// awaitWorkers waits until a worker asks for calls.
func awaitWorkers(t testing.TB, client *recyclingnats.Client, name string) {
	t.Helper()
	js, err := jetstream.New(client.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := js.Consumer(t.Context(), name+"-calls", "default")
		if err == nil && c.CachedInfo().NumWaiting > 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("no worker is ready: %v", err)
		}
	}
}

// listening returns a server that other processes can reach.
func listening(t testing.TB) *embedded.Server {
	t.Helper()
	s, err := embedded.StartOptions(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestPlaceOfProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: each lost worker is noticed after seconds")
	}
	t.Parallel()
	s := listening(t)
	tasktest.Run(t, tasktest.Target{
		Name:      "processes",
		Processes: true,
		Start: func(t testing.TB, o offload.Config) *tasktest.Instance {
			c := recyclingnats.Config{URL: s.URL(), Name: nextName(), BacklogBytes: smallBacklog}
			c.Queue, c.Wait, c.Timeout, c.RetryAfter = o.Queue, o.Wait, o.Timeout, o.RetryAfter
			client, err := recyclingnats.Connect(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			stop := keepWorker(t, workerProcess{
				URL: s.URL(), Name: c.Name, Workers: o.Workers, Slots: o.Slots, Queue: o.Queue, Wait: o.Wait,
			})
			awaitWorkers(t, client, c.Name)
			done := make(chan struct{})
			end := sync.OnceFunc(func() {
				go func() {
					defer close(done)
					client.Close()
					stop()
				}()
			})
			return &tasktest.Instance{
				Place: client,
				Shutdown: func(ctx context.Context) error {
					err := client.Shutdown(ctx)
					if err == nil {
						end()
					}
					return err
				},
				Close: func() {
					client.Close()
					end()
				},
				Done: done,
			}
		},
	})
}
