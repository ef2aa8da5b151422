package embedded_test

import (
	"context"
	"fmt"
	"log"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload/task"
)

// One process has the server, a worker and the caller.
func Example() {
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) {
		return 2 * n, nil
	}, task.Options{Idempotent: true})

	ctx, stop := context.WithCancel(context.Background())
	client, err := recyclingnats.Connect(ctx, recyclingnats.Config{Embedded: embedded.Start})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	worker, err := client.NewWorker(&tasks, recyclingnats.WorkerConfig{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()

	fmt.Println(double.Do(ctx, client, 21))

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output: 42 <nil>
}
