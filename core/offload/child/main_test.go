package child_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// role is the environment variable that makes the test binary a child.
const role = "RECYCLING_TEST_CHILD"

// TestMain runs as a child if role says so. Otherwise it fails if a goroutine is left after all
// tests.
func TestMain(m *testing.M) {
	if os.Getenv("SHOUT") != "" {
		shout()
		return
	}
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // or each child takes a second longer to end
	}
	if r := os.Getenv(role); r != "" {
		os.Exit(roles[r]())
	}
	if os.Getenv("SUITE") != "" {
		child.Main(&tasktest.Tasks)
	}
	child.Main(&tasks)
	os.Exit(leak.Main(m, "core/offload", "os/exec"))
}

// roles are the kinds of children. Each returns the child's exit status.
var roles = map[string]func() int{
	"obedient": func() int { return served(child.Serve(obey)) },
	"mute":     func() int { time.Sleep(time.Hour); return 0 },
	"quitter":  func() int { return 3 },
	"babbler": func() int {
		fmt.Println("Hello, this is not a frame, and long enough for one.")
		time.Sleep(time.Hour)
		return 0
	},
	// eager's first frame answers request 7.
	"eager": func() int { os.Stdout.Write(head(0, 0, 7)); time.Sleep(time.Hour); return 0 },
	"twice": func() int { // answers every request twice
		os.Stdout.Write(head(0, 0, 0))
		for id := uint64(1); ; id++ {
			os.Stdin.Read(make([]byte, 1024))
			os.Stdout.Write(append(head(0, 0, id), head(0, 0, id)...))
		}
	},
	"liar": func() int { // announces more than it may send
		os.Stdout.Write(head(0, 0, 0))
		os.Stdin.Read(make([]byte, 1024))
		os.Stdout.Write(head(1<<30, 0, 1))
		time.Sleep(time.Hour)
		return 0
	},
	// stubborn does not end when its input does.
	"stubborn": func() int { served(child.Serve(obey)); time.Sleep(time.Hour); return 0 },
}

func served(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func head(size, kind uint32, id uint64) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint32(b, kind)
	return binary.BigEndian.AppendUint64(b, id)
}

// obey does what the request says.
func obey(request []byte) ([]byte, error) {
	verb, rest, _ := strings.Cut(string(request), " ")
	switch verb {
	case "echo":
		return []byte(rest), nil
	case "print": // must not disturb the answers
		fmt.Print(rest)
		return nil, nil
	case "error":
		return nil, errors.New(rest)
	case "panic":
		panic(rest)
	case "exit":
		os.Exit(5)
	case "sleep": // and return the duration
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		return []byte(rest), err
	}
	return nil, fmt.Errorf("unknown: %q", request)
}

// as returns a Command for a child with the role r.
func as(r string) child.Command {
	return child.Command{New: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), role+"="+r)
		return cmd
	}}
}

// start starts a child, and closes it at the end of the test.
func start(t testing.TB, c child.Command, failed func(error)) *child.Process {
	t.Helper()
	p, err := c.Start(context.Background(), failed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// newChildren returns children that are closed, and waited for, at the end of the test.
func newChildren(t testing.TB, c child.Command, config offload.Config) *offload.Resources[*child.Process] {
	t.Helper()
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*child.Process]{
		Config: config, Open: c.Start, Close: (*child.Process).Close, Backoff: time.Millisecond,
		Failed: func(err error) { t.Log(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		<-r.Done()
	})
	return r
}

// call sends a request to one of the children.
func call(ctx context.Context, r *offload.Resources[*child.Process], request string) (string, error) {
	b, err := offload.Use(ctx, r, func(ctx context.Context, p *child.Process) ([]byte, error) {
		return p.Call(ctx, []byte(request))
	})
	return string(b), err
}
