package embedded_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A counter counts bytes, and looks at the heap from time to time.
type counter struct {
	n, heap uint64
	checked uint64
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += uint64(len(b))
	if c.n-c.checked > 64<<20 {
		c.checked = c.n
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.heap = max(c.heap, m.HeapInuse)
	}
	return len(b), nil
}

func TestGigabyteStreamsInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	// Not parallel: it measures the heap.
	const total = 1 << 30
	var tasks task.Set
	big := task.RegisterStream(&tasks, "big", func(_ context.Context, n int, w io.Writer) error {
		b := make([]byte, 128<<10)
		for range n / len(b) {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	}, task.Options{})
	client := connect(t, recyclingnats.Config{})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var c counter
	if err := big.Do(t.Context(), client, total, &c); err != nil {
		t.Fatal(err)
	}
	if c.n != total {
		t.Errorf("got %d bytes, want %d", c.n, total)
	}
	if grown := int64(c.heap) - int64(before.HeapInuse); grown > 128<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}

func TestStreamEndsWhenItsCallerDies(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	ended := make(chan error, 1)
	endless := task.RegisterStream(&tasks, "endless", func(ctx context.Context, _ int, w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				ended <- err
				return err
			}
		}
	}, task.Options{})
	c := recyclingnats.Config{Embedded: start(t)}
	client, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	far, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var once atomic.Bool
	gone := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		gone <- endless.Do(ctx, far, 1, writerFunc(func(b []byte) (int, error) {
			if once.CompareAndSwap(false, true) {
				far.Conn().Close() // as if the process had been killed
			}
			return len(b), nil
		}))
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, task.ErrLeft) {
			t.Errorf("Write returned %v, want ErrLeft", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the task still writes")
	}
	select {
	case err := <-gone:
		if err == nil {
			t.Error("the call returned without an error")
		}
	case <-time.After(30 * time.Second):
		t.Error("the call has not ended")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
