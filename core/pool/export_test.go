package pool

import "github.com/recycling-go/recycling/core/internal/permits"

// A Ring exposes ring to tests.
type Ring[T any] struct{ r ring[T] }

func (r *Ring[T]) Push(v T)         { r.r.push(v) }
func (r *Ring[T]) Pop() T           { return r.r.pop() }
func (r *Ring[T]) Move(dst []T) int { return r.r.move(dst) }
func (r *Ring[T]) Shrink()          { r.r.shrink() }
func (r *Ring[T]) Len() int         { return r.r.len() }
func (r *Ring[T]) Slots() []T       { return r.r.buf }

// Sizes that tests depend on.
const (
	ClaimBatchSize = claimBatchSize
	MinRing        = minRing
)

// Spares returns what the pool keeps for later use: slots of the ring, claim batches and waiters.
func (p *Pool[T]) Spares() (slots, batches, waiters int) {
	p.mu.lock()
	defer p.mu.Unlock()
	for b := p.spare; b != nil; b = b.spare {
		batches++
	}
	for w := p.waiters.spare; w != nil; w = w.next {
		waiters++
	}
	return len(p.jobs.buf), batches, waiters
}

// Permits returns a user of the permits of g, which needs a pool.
func (g *Group[T]) Permits() *permits.Share { return g.permits.Share() }
