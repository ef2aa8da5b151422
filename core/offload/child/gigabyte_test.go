package child_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// A checker checks that what is written to it is what the task pour writes, and measures memory
// now and then.
type checker struct {
	t       *testing.T
	pattern []byte // twice
	n       int64
	measure func()
}

func newChecker(t *testing.T, measure func()) *checker {
	b := make([]byte, 100_000)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return &checker{t: t, pattern: append(b, b...), measure: measure}
}

func (c *checker) Write(b []byte) (int, error) {
	if at := c.n % 100_000; !bytes.Equal(b, c.pattern[at:at+int64(len(b))]) {
		return 0, fmt.Errorf("after %d bytes, the next %d are wrong", c.n, len(b))
	}
	if before := c.n; before>>25 != (before+int64(len(b)))>>25 {
		c.measure()
	}
	c.n += int64(len(b))
	return len(b), nil
}

func TestGigabyteStreamsInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GB takes a while")
	}
	p := open(t, workers(1))
	if err := pour.Do(ctx, p, 1<<20, newChecker(t, func() {})); err != nil { // so that buffers exist
		t.Fatal(err)
	}
	heap, child := int64(0), int64(0)
	measure := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, int64(m.HeapInuse))
		groups, err := p.Groups(ctx)
		if err != nil {
			t.Error(err)
		}
		child = max(child, groups[0].Memory)
	}
	measure()
	heapBefore, childBefore := heap, child
	const size = 1 << 30
	c := newChecker(t, measure)
	if err := pour.Do(ctx, p, size, c); err != nil || c.n != size {
		t.Errorf("%d bytes, %v", c.n, err)
	}
	const limit = 32 << 20
	if heap-heapBefore > limit || child-childBefore > limit {
		t.Errorf("the heap has grown from %d to %d, the child from %d to %d", heapBefore, heap, childBefore, child)
	}
	t.Logf("the heap had %d and at most %d bytes, the child %d and %d", heapBefore, heap, childBefore, child)
}
