package offload_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestConfigErrorsNameFieldAndValue(t *testing.T) {
	open := func(context.Context, func(error)) (int, error) { return 0, nil }
	type rc = offload.ResourceConfig[int]
	for _, test := range []struct {
		c    any
		want []string
	}{
		{offload.Config{Workers: -3}, []string{"Workers", "-3"}},
		{offload.Config{Timeout: -4 * time.Second}, []string{"Timeout", "-4s"}},
		{offload.Config{RetryAfter: -5 * time.Second}, []string{"RetryAfter", "-5s"}},
		{offload.Config{Policy: 6}, []string{"Policy", "6"}},
		{rc{}, []string{"Open"}},
		{rc{Open: open, Backoff: -7 * time.Second}, []string{"Backoff", "-7s"}},
		{rc{Open: open, Backoff: 9 * time.Second, MaxBackoff: 8 * time.Second}, []string{"MaxBackoff", "8s", "9s"}},
		{rc{Open: open, MaxBackoff: -8 * time.Second}, []string{"MaxBackoff", "-8s"}},
		{rc{Open: open, Config: offload.Config{Workers: -3}}, []string{"Workers", "-3"}},
	} {
		var err error
		switch c := test.c.(type) {
		case offload.Config:
			_, err = offload.New(c)
		case rc:
			_, err = offload.NewResources(context.Background(), c)
		}
		if err == nil {
			t.Errorf("no error, want one about %q", test.want)
			continue
		}
		for _, part := range append(test.want, "offload: ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error is %q, want %q in it", err, part)
			}
		}
	}
}

func TestZeroConfigLeavesAProcessorToLightWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(ways[0], newPool(t, offload.Config{}))
		want := max(runtime.GOMAXPROCS(0)-1, 1)
		for range want + 257 {
			c.call(context.Background(), sleep(time.Hour))
		}
		if s := c.pool.Stats(); s.Running != want || s.Queued != 256 || s.Full != 1 {
			t.Errorf("%+v, want %d running, 256 queued and one shed", s, want)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := c.pool.Stats(); s.Late != 256 {
			t.Errorf("%+v, want all 256 shed after 2 seconds", s)
		}
		time.Sleep(time.Hour)
	})
}

func TestPolicyString(t *testing.T) {
	for p, want := range map[offload.Policy]string{offload.Shared: "Shared", offload.RoundRobin: "RoundRobin", 7: "Policy(7)"} {
		if p.String() != want {
			t.Errorf("%q, want %q", p, want)
		}
	}
}
