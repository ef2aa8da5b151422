package jobs

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

// ProcessArg is the first argument of the program when it must call [ProcessMain].
const ProcessArg = "jobs-process"

// A setup says what a process is. It is passed to the process as JSON.
type setup struct {
	Role string // a key of roles
	Name string // such as "host1/worker0#3"

	Addr string   // that a server listens on
	URLs []string // of the NATS servers

	Serving string // the folder in which a worker or server makes a file when it is connected

	// For NATS.
	Routes  []string // of the cluster
	Cluster string   // the address of this server in the cluster
	Store   string   // the folder
	Limit   int64    // how large the store may become, in bytes

	// For workers.
	Ledger  string        // the folder of the ledgers
	Effects string        // the folder of the effects
	Workers int           // how many tasks run at the same time
	Grace   time.Duration // from SIGTERM until tasks are given back
}

// roles are the main functions of the processes. Each prints an address, a line, when it is ready.
var roles = map[string]func(setup) error{
	"nats":   natsMain,
	"worker": workerMain,
	"server": serverMain,
}

// ProcessMain is the main function of the processes of a trial; args are the arguments after
// [ProcessArg]. It exits when its standard input ends.
func ProcessMain(args []string) error {
	var s setup
	if len(args) != 1 {
		return fmt.Errorf("jobs: %d arguments, want one", len(args))
	}
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return err
	}
	main := roles[s.Role]
	if main == nil {
		return fmt.Errorf("jobs: role is %q, want nats, worker or server", s.Role)
	}
	go func() { // the parent is gone for any reason
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	return main(s)
}

// serves notes that the process is connected to NATS.
func (s setup) serves() error { return os.WriteFile(s.servingFile(s.Name), nil, 0o666) }

// servingFile is the name of the file that serves makes in the process with this name.
func (s setup) servingFile(name string) string {
	return filepath.Join(s.Serving, strings.ReplaceAll(name, "/", "-"))
}

// A machine is where processes run: a host in a namespace, or this machine.
type machine struct {
	name string
	host *hosts.Host // nil for this machine
	dir  string
	addr func(port int) (string, error) // an address for a server
}

// command returns the command of a process.
func (m *machine) command(s setup) (harness.Command, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return harness.Command{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return harness.Command{}, err
	}
	args := []string{ProcessArg, string(text)}
	if m.host != nil {
		program, args = m.host.Command(program, args...)
	}
	return harness.Command{Program: program, Args: args}, nil
}
