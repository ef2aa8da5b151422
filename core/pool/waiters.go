package pool

// A waiter is a Submit that waits for room. It belongs to that Submit, except as the fields say.
type waiter[T any] struct {
	job     T // guarded by the pool's mutex, as are the following
	verdict verdict
	prev    *waiter[T] // in the list of those that wait
	next    *waiter[T] // in that list, or in the one of spare waiters

	// wake is what the Submit sleeps on. Whoever passes the verdict sends once, perhaps a little
	// later. Its capacity is one, so that sending never blocks.
	wake chan struct{}
}

// A verdict is what becomes of a waiter. Whoever passes it takes the waiter off the list.
type verdict uint8

const (
	pending  verdict = iota // on the list
	admitted                // its job is queued
	refused                 // the pool was stopped
)

// waiters are the Submits that wait, oldest first. The zero value is an empty list.
type waiters[T any] struct {
	first, last *waiter[T]
	n           int
	coming      bool       // one that was let in is on its way
	spare       *waiter[T] // a list, so that waiting allocates nothing either
}

func (l *waiters[T]) add(job T) *waiter[T] {
	w := l.spare
	if w == nil {
		w = &waiter[T]{wake: make(chan struct{}, 1)}
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

// free makes w a spare one. It must be off the list, and its wake empty.
func (l *waiters[T]) free(w *waiter[T]) {
	var zero T
	w.job, w.prev, w.next = zero, nil, l.spare
	l.spare = w
}

// come tells w its verdict, if w is not nil. The mutex need not be held.
func (w *waiter[T]) come() {
	if w != nil {
		w.wake <- struct{}{}
	}
}
