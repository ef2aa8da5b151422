package pool

// minRing is how many slots a ring has at first and keeps for good. A power of two.
const minRing = 64

// A ring is a first-in-first-out queue of any length. The zero value is empty.
//
// It doubles when it is full, so that a queue which is bounded soon stops allocating, and shrinks
// only when it is told to.
type ring[T any] struct {
	buf  []T  // its length is a power of two, or zero
	head uint // how many were taken out: the oldest is buf[head%len(buf)]
	tail uint // how many were put in
	peak int  // the largest len since the last shrink; pop and move note it, where peaks end
}

func (r *ring[T]) len() int { return int(r.tail - r.head) }

func (r *ring[T]) push(v T) {
	if r.tail-r.head == uint(len(r.buf)) {
		r.resize(max(minRing, 2*len(r.buf)))
	}
	r.buf[r.tail&uint(len(r.buf)-1)] = v
	r.tail++
}

// pop takes the oldest out. There must be one.
func (r *ring[T]) pop() T {
	var zero T
	r.peak = max(r.peak, r.len())
	slot := &r.buf[r.head&uint(len(r.buf)-1)]
	v := *slot
	*slot = zero // the collector shall not find it here
	r.head++
	return v
}

// move takes the oldest out into dst, as many as there are and fit, and returns how many.
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

// spacious reports whether the ring has more slots than it keeps for good.
func (r *ring[T]) spacious() bool { return len(r.buf) > minRing }

// shrink halves the slots if less than a quarter of them was in use since the last call.
func (r *ring[T]) shrink() {
	if max(r.peak, r.len()) < len(r.buf)/4 && r.spacious() {
		r.resize(len(r.buf) / 2)
	}
	r.peak = r.len()
}

// resize gives the ring size slots, a power of two and no less than r.len().
func (r *ring[T]) resize(size int) {
	buf := make([]T, size)
	n := r.move(buf)
	r.buf, r.head, r.tail = buf, 0, uint(n)
}
