package pool

// minRing is the initial and the minimum number of slots of a ring. It is a power of two.
const minRing = 64

// A ring is an unbounded first-in first-out queue. The zero value is empty.
//
// It doubles when it is full, so a queue of bounded length soon stops allocating, and shrinks only
// when shrink is called.
type ring[T any] struct {
	buf  []T  // its length is a power of two, or zero
	head uint // number of values removed: the oldest is buf[head%len(buf)]
	tail uint // number of values added
	peak int  // the largest len since the last shrink; updated by pop and move, where peaks end
}

func (r *ring[T]) len() int { return int(r.tail - r.head) }

func (r *ring[T]) push(v T) {
	if r.tail-r.head == uint(len(r.buf)) {
		r.resize(max(minRing, 2*len(r.buf)))
	}
	r.buf[r.tail&uint(len(r.buf)-1)] = v
	r.tail++
}

// pop removes and returns the oldest value. The ring must not be empty.
func (r *ring[T]) pop() T {
	var zero T
	r.peak = max(r.peak, r.len())
	slot := &r.buf[r.head&uint(len(r.buf)-1)]
	v := *slot
	*slot = zero // the slot must not keep the value from being collected
	r.head++
	return v
}

// move moves up to len(dst) of the oldest values to dst, and returns how many it moved.
func (r *ring[T]) move(dst []T) int {
	n := min(len(dst), r.len())
	if n == 0 {
		return 0
	}
	r.peak = max(r.peak, r.len())
	i := int(r.head & uint(len(r.buf)-1))
	upper := r.buf[i:min(i+n, len(r.buf))]
	lower := r.buf[:n-len(upper)]
	copy(dst[copy(dst, upper):], lower)
	clear(upper)
	clear(lower)
	r.head += uint(n)
	return n
}

// grown reports whether the ring has more slots than the minimum.
func (r *ring[T]) grown() bool { return len(r.buf) > minRing }

// shrink halves the number of slots if less than a quarter of them was in use since the last call.
func (r *ring[T]) shrink() {
	if max(r.peak, r.len()) < len(r.buf)/4 && r.grown() {
		r.resize(len(r.buf) / 2)
	}
	r.peak = r.len()
}

// resize changes the number of slots to size, a power of two and at least r.len().
func (r *ring[T]) resize(size int) {
	buf := make([]T, size)
	n := r.move(buf)
	r.buf, r.head, r.tail = buf, 0, uint(n)
}
