package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// start starts the server that c describes, and waits until it listens. The server is stopped when
// ctx ends.
func start(ctx context.Context, c childConfig) (*harness.Process, error) {
	v, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p, err := harness.Start(ctx, harness.Command{Args: []string{ServerArg, string(v)}, Stderr: os.Stderr})
	if err != nil {
		return nil, fmt.Errorf("server %q did not start: %w", c.Server, err)
	}
	return p, nil
}
