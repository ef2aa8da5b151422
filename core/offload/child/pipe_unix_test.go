//go:build unix

package child_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
)

// A task that writes a stream to a parent that has died gets an error: SIGPIPE does not end it
// before it has cleaned up.
func TestStreamToADeadParentReturns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cleaned-up")
	input, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := child.Self()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop()
	in.Write(frame(child.Setup, 0, child.SetupFor()))
	in.Write(frame(child.Ask, 1, child.Question(0, 1<<10, "endless", string(input))))
	if _, err := io.CopyN(io.Discard, out, 1000); err != nil { // the stream flows
		t.Error(err)
	}
	out.Close() // first, so that a write fails before the child reads that its input has ended
	in.Close()
	err = cmd.Wait()
	if text, e := os.ReadFile(file); e != nil || len(text) == 0 {
		t.Errorf("the task has not got an error (%v): the child has ended with %v", e, err)
	}
}
