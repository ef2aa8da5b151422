package child_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

// The child is this same program. An environment variable tells it to be the child, which must be
// checked first in main.
func Example() {
	if os.Getenv("SHOUT") != "" {
		shout()
		return
	}
	ctx := context.Background()
	program, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	command := child.Command{New: func() *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), "SHOUT=yes")
		cmd.Stderr = os.Stderr
		return cmd
	}}
	children, err := offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
		Config: offload.Config{Workers: 2, Timeout: 10 * time.Second},
		Open:   command.Start,
		Close:  (*child.Process).Close,
	})
	if err != nil {
		log.Fatal(err)
	}
	loud, err := offload.Use(ctx, children, func(ctx context.Context, p *child.Process) ([]byte, error) {
		return p.Call(ctx, []byte("hello from a child"))
	})
	fmt.Printf("%s %v\n", loud, err)
	if err := children.Shutdown(ctx); err != nil {
		log.Print(err)
	}
	// Output: HELLO FROM A CHILD <nil>
}

// shout is the child's main function.
func shout() {
	err := child.Serve(func(request []byte) ([]byte, error) { return bytes.ToUpper(request), nil })
	if err != nil {
		log.Fatal(err)
	}
}
