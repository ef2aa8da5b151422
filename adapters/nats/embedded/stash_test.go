package embedded_test

import (
	"testing"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/stash/stashtest"
)

func TestStash(t *testing.T) {
	t.Parallel()
	testStash(t, connect(t, recyclingnats.Config{}))
}

func TestStashOfCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: each stash elects a leader")
	}
	t.Parallel()
	c := recyclingnats.Config{URL: startCluster(t).url(), Replicas: 3, BacklogBytes: smallBacklog}
	client, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	testStash(t, client)
}

func testStash(t *testing.T, client *recyclingnats.Client) {
	t.Helper()
	stashtest.Run(t, func(t testing.TB) stash.Store {
		s, err := client.Stash(t.Context(), nextName(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
