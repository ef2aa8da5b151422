package places

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/bench/internal/trial/natsnode"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// arg is the first argument of this program in a process of a place. The second one is a process.
const arg = "place"

// A role is what a process does.
type role string

const (
	roleChild  role = "child"       // of the place Children
	roleEcho   role = "echo"        // of the floor of that place
	roleServer role = "NATS server" // on a host
	roleWorker role = "NATS worker" // on a host
)

// A process says what a process of a place does. It is passed to it as JSON.
type process struct {
	Role   role
	Node   natsnode.Node // of a server
	URL    string        // for a worker
	Config Config        // of a worker
}

// Main must be called at the beginning of a program that opens places. In a process of a place it
// does not return. Each of register adds tasks that the places run.
func Main(register ...func(*task.Set)) {
	if len(os.Args) != 3 || os.Args[1] != arg {
		return
	}
	var set task.Set
	for _, f := range register {
		f(&set)
	}
	if err := run(os.Args[2], &set); err != nil {
		fmt.Fprintln(os.Stderr, "places:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(parameter string, set *task.Set) error {
	var p process
	if err := json.Unmarshal([]byte(parameter), &p); err != nil {
		return err
	}
	switch p.Role {
	case roleChild:
		return child.ServeTasks(context.Background(), set)
	case roleEcho:
		return echo()
	case roleServer:
		return p.Node.Run(func() { fmt.Println(p.Node.Addr) })
	case roleWorker:
		p.Config.Tasks = set
		return p.work()
	}
	return fmt.Errorf("there is no role %q", p.Role)
}

// args are the arguments of the process.
func (p process) args() []string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("places: BUG: " + err.Error())
	}
	return []string{arg, string(b)}
}

// command returns the command that starts the process.
func (p process) command() *exec.Cmd {
	program, err := os.Executable()
	cmd := exec.Command(program, p.args()...)
	cmd.Err = errors.Join(cmd.Err, err)
	cmd.Stderr = os.Stderr
	return cmd
}

// echo writes what it reads. It does not use io.Copy, which lets the kernel copy.
func echo() error {
	b := make([]byte, message)
	for {
		n, err := os.Stdin.Read(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write(b[:n]); err != nil {
			return err
		}
	}
}

// message is the size in bytes of what echo gets. A short task has about as many.
const message = 64

// twoPipes is the floor of child processes.
func twoPipes(context.Context, *Opened) (call func(context.Context) error, stop func(), err error) {
	cmd := process{Role: roleEcho}.command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	b := make([]byte, message)
	call = func(context.Context) error {
		if _, err := in.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(out, b)
		return err
	}
	return call, func() {
		in.Close()
		cmd.Wait()
	}, nil
}

// work runs a worker on a host until SIGTERM. It also answers the requests of the floor.
func (p process) work() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := recyclingnats.Connect(ctx, p.clusterConfig())
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := answerFloor(client); err != nil {
		return err
	}
	w, err := client.NewWorker(p.Config.Tasks, recyclingnats.WorkerConfig{Workers: p.Config.Workers})
	if err != nil {
		return err
	}
	fmt.Println(p.Role)
	return w.Run(ctx)
}
