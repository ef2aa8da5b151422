package stash_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/recycling-go/recycling/core/offload/stash"
)

// Tasks count what they have done in one entry.
func ExampleModifyJSON() {
	ctx := context.Background()
	shared, err := stash.New(stash.Config{})
	if err != nil {
		log.Fatal(err)
	}
	type progress struct{ Done, Failed int }
	for i := range 5 {
		p, err := stash.ModifyJSON(ctx, shared, "job.17", time.Hour, func(p progress) (progress, error) {
			if i == 2 {
				p.Failed++
			} else {
				p.Done++
			}
			return p, nil
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.Done, "done,", p.Failed, "failed")
	}
	// Output:
	// 1 done, 0 failed
	// 2 done, 0 failed
	// 2 done, 1 failed
	// 3 done, 1 failed
	// 4 done, 1 failed
}

// A lock that others may take a minute after its owner has died.
func ExampleStore() {
	ctx := context.Background()
	var shared stash.Store
	shared, err := stash.New(stash.Config{})
	if err != nil {
		log.Fatal(err)
	}
	revision, err := shared.Create(ctx, "lock.report", []byte("worker 1"), time.Minute)
	fmt.Println(err)
	_, err = shared.Create(ctx, "lock.report", []byte("worker 2"), time.Minute)
	fmt.Println(errors.Is(err, stash.ErrConflict))
	fmt.Println(shared.Delete(ctx, "lock.report", revision))
	// Output:
	// <nil>
	// true
	// <nil>
}
