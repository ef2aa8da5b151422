package pool

// minRing is how many slots a ring has at first and keeps for good. A power of two.
const minRing = 64

// A ring is a first-in-first-out queue of any length. The zero value is empty.
//
// It grows by doubling when it is full and by nothing else, so that a queue which is
// bounded stops allocating; it shrinks only when told to.
type ring[T any] struct {
	buf  []T  // its length is a power of two, or zero
	head uint // how many were taken out, so that buf[head%len(buf)] is the oldest
	tail uint // how many were put in
	peak int  // the largest n since the last shrink
}

func (r *ring[T]) len() int { return int(r.tail - r.head) }

func (r *ring[T]) push(v T) {
	if r.tail-r.head == uint(len(r.buf)) {
		r.grow()
	}
	r.buf[r.tail&uint(len(r.buf)-1)] = v
	r.tail++
}

// pop takes the oldest out. There must be one.
func (r *ring[T]) pop() T {
	var zero T
	r.peak = max(r.peak, r.len()) // a peak ends here or in move
	slot := &r.buf[r.head&uint(len(r.buf)-1)]
	v := *slot
	*slot = zero
	r.head++
	return v
}

// move takes the oldest out into dst, as many as fit or are there, and returns how many.
func (r *ring[T]) move(dst []T) int {
	n := min(len(dst), r.len())
	if n == 0 {
		return 0
	}
	r.peak = max(r.peak, r.len())
	i := int(r.head & uint(len(r.buf)-1))
	old := r.buf[i:min(i+n, len(r.buf))]
	k := copy(dst, old)
	clear(old)
	old = r.buf[:n-k]
	copy(dst[k:], old)
	clear(old)
	r.head += uint(n)
	return n
}

// spacious reports whether there are more slots than an empty ring keeps.
func (r *ring[T]) spacious() bool { return len(r.buf) > minRing }

// shrink halves the slots if not a quarter of them was in use since the last call.
func (r *ring[T]) shrink() {
	if r.spacious() && r.peak < len(r.buf)/4 {
		r.resize(len(r.buf) / 2)
	}
	r.peak = r.len()
}

func (r *ring[T]) grow() { r.resize(max(minRing, 2*len(r.buf))) }

// resize gives the ring size slots, a power of two and no less than r.n.
func (r *ring[T]) resize(size int) {
	buf := make([]T, size)
	n := r.move(buf)
	r.buf, r.head, r.tail = buf, 0, uint(n)
}
