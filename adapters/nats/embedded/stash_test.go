package embedded_test

import (
	"testing"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/stash/stashtest"
)

func TestStash(t *testing.T) {
	t.Parallel()
	client := connect(t, recyclingnats.Config{})
	stashtest.Run(t, func(t testing.TB) stash.Store {
		s, err := client.Stash(t.Context(), nextName(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
