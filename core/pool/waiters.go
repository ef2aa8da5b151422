package pool

// A waiter is a call of Submit that waits for room. It belongs to that call, except as noted below.
type waiter[T any] struct {
	job     T // guarded by the pool's mutex, as are the following
	verdict verdict
	prev    *waiter[T] // in the list of waiters
	next    *waiter[T] // in that list, or in the list of spare waiters

	// ready is the channel that Submit waits on. Whoever sets the verdict sends once, perhaps a
	// little later. Its capacity is one, so that sending never blocks.
	ready chan struct{}
}

// A verdict is the outcome for a waiter. Whoever sets it removes the waiter from the list.
type verdict uint8

const (
	pending  verdict = iota // on the list
	admitted                // its job is queued
	refused                 // the pool was stopped
)

// waiters is a list of the Submit calls that wait, oldest first. The zero value is an empty list.
type waiters[T any] struct {
	first, last *waiter[T]
	n           int
	waking      bool       // an admitted waiter is being woken
	spare       *waiter[T] // a list of unused waiters, so that waiting does not allocate
}

func (l *waiters[T]) add(job T) *waiter[T] {
	w := l.spare
	if w == nil {
		w = &waiter[T]{ready: make(chan struct{}, 1)}
	} else {
		l.spare = w.next
	}
	w.job, w.verdict, w.prev, w.next = job, pending, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	l.n++
	return w
}

func (l *waiters[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	l.n--
}

// free adds w to the spare waiters. w must be off the list, and its wake channel empty.
func (l *waiters[T]) free(w *waiter[T]) {
	var zero T
	w.job, w.prev, w.next = zero, nil, l.spare
	l.spare = w
}

// wake wakes the call that w belongs to. It does nothing if w is nil. The mutex need not be held.
func (w *waiter[T]) wake() {
	if w != nil {
		w.ready <- struct{}{}
	}
}
