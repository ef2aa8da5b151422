// Package offload keeps heavy work from crowding out light work: a [Pool] lets a fixed number of
// handlers or tasks run at the same time, and a bounded number wait, in order and for a bounded time.
// What is too much is shed: it gets an error at once, from which a handler makes 503 and Retry-After.
//
//	heavy, err := offload.New(offload.Config{Workers: 4, Queue: 256, Wait: 2 * time.Second})
//	...
//	router.With(heavy.Middleware).Get("/report", report)
//
// There are three ways to a worker, all with the same queue, bounds and errors:
//
//   - [Pool.Middleware] and [Pool.Admit], on which the middleware of other frameworks is built: a whole
//     handler is the task.
//   - [Do]: a function with a result is the task; its caller may stop waiting for it.
//   - [Use]: the same with a resource that is the task's alone while it runs, out of [Resources]: a
//     model, a handle that is not safe for concurrent use, a process (package child).
//
// # The life of a call
//
//	         a worker is idle,
//	         or becomes so          the task returns
//	waiting ──────────────► begun ───────────────────► ended
//	 │  │ │                   │
//	 │  │ └► left             └► abandoned  the context of Do or Use has ended: its caller gets the
//	 │  └──► late, closed                   context's error now, the worker is kept until the
//	 │       (shed)                         task returns, and what that returns is dropped
//	 └ nobody waits longer than Wait
//
// A call that finds the queue full, or the pool stopped, is shed before it waits. Calls get workers in
// the order in which they came. The time in the queue is part of [Config.Timeout] as it is of any
// deadline that the context has.
//
// # Where tasks run
//
// A handler stays on its goroutine. It could be run by a goroutine of the pool while its own waits, but
// a ResponseWriter is only good until the handler has returned to the server: the goroutine that
// the server gave would be held all the same, and a second one besides. The change of goroutine would lose
// what belongs to one, such as the panic's stack and runtime.Goexit on the way to the framework's recover, profiler
// labels and locks on threads, and would win nothing. So the middleware is a semaphore with a
// queue. While a handler waits it keeps its worker of the server: the server's MaxWorkers must be
// well above Workers + Queue, or light requests wait behind heavy ones after all. Of the server's strategies that is only a
// question for Pool, whose MaxWorkers is 256 unless it was set.
//
// The functions of Do and Use run on goroutines of github.com/alitto/pond, since their caller must be
// able to leave without them. A panic or runtime.Goexit is passed on to the caller: see [Panic].
//
// # Sizes
//
// A task waits for about Queue × (time of a task) ÷ Workers when the queue is full. If that is less than Wait,
// whatever is shed is shed at once, because the queue is full; if it is more, the end of the queue
// waits for Wait and is shed then. Leave room: what computes takes longer when all processors are busy. Workers is one less than there are processors unless it was set, so that heavy
// tasks that compute leave one to everybody else.
//
// A task must not wait for another one in the same pool: with all workers doing that,
// nobody gets one. Give what is nested a pool of its own.
package offload
