package jobs

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary the processes of the trial.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ProcessArg {
		if err := ProcessMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestNoTaskIsLostWhileProcessesAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	if runtime.GOOS == "windows" {
		t.Skip("no process can be sent SIGTERM here")
	}
	var out bytes.Buffer
	c := Config{Local: true, Tasks: 200, Kills: 5, Duration: 5 * time.Second, Settle: time.Minute, Rolls: 4}
	if err := Run(t.Context(), c, nil, &out); err != nil {
		t.Error(err)
	}
	t.Log("\n" + out.String())
}

func TestWrongConfigIsNamed(t *testing.T) {
	for want, c := range map[string]Config{"Tasks is -1": {Tasks: -1}, "Settle is -1s": {Settle: -time.Second}, "Duration is -1s": {Duration: -time.Second}} {
		if err := Run(t.Context(), c, nil, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run returned %v, want %q in it", err, want)
		}
	}
}

func TestRecoveryIsWhenThroughputIsBack(t *testing.T) {
	buckets := slices.Repeat([]int64{10}, 50)
	buckets = append(buckets, slices.Repeat([]int64{0}, 30)...)
	buckets = append(buckets, slices.Repeat([]int64{10}, 20)...)
	if d, ok := recovered(buckets, 50); !ok || d != 2900*time.Millisecond { // a second with 90 calls
		t.Errorf("recovered after %v, %v; want 2.9s", d, ok)
	}
	if d, ok := recovered(buckets[:80], 50); ok {
		t.Errorf("recovered after %v although nothing came back", d)
	}
	if _, ok := recovered(make([]int64, 100), 50); ok {
		t.Error("recovered without any throughput before")
	}
}

func TestEffectTakesPlaceOnce(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"a", "b", "a", "a"} {
		if err := takeEffect(dir, key); err != nil {
			t.Fatal(err)
		}
	}
	effects, refused, err := readEffects(dir)
	if err != nil || len(effects) != 2 || effects["a"] != 1 || effects["b"] != 1 || refused != 2 {
		t.Errorf("effects are %v, %d refused, %v; want a and b, 2 refused", effects, refused, err)
	}
}
