package child_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A task of the program, which is registered when it starts.
var shouting = task.Register(&tasks, "shout", func(_ context.Context, text string) (string, error) {
	return strings.ToUpper(text), nil
}, task.Options{Idempotent: true})

// In a program, Main is at the beginning of the function main. Here it is in TestMain.
func ExampleOpen() {
	ctx := context.Background()
	place, err := child.Open(ctx, child.Config{Tasks: &tasks, Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	loud, err := shouting.Do(ctx, place, "hello from a child")
	fmt.Println(loud, err)
	if err := place.Shutdown(ctx); err != nil {
		log.Print(err)
	}
	// Output: HELLO FROM A CHILD <nil>
}
