// Package offload keeps heavy work from crowding out light work: a [Pool] lets a limited number of
// handlers or tasks run at the same time, and a limited number wait, in order and for a limited
// time. Any excess is shed: it gets an error at once, which a handler turns into 503 and
// Retry-After.
//
//	heavy, err := offload.New(offload.Config{Workers: 4, Queue: 256, Wait: 2 * time.Second})
//	...
//	router.With(heavy.Middleware).Get("/report", report)
//
// [Waiting] is for handlers that are not heavy, but slow: they wait for something else. A handler
// that waits in this package, for a worker or for its task, waits in the same way.
//
// There are three ways to get a worker, all with the same queue, limits and errors:
//
//   - [Pool.Middleware] and [Pool.Admit], on which the middleware for other frameworks is built: a
//     whole handler is the task.
//   - [Do]: a function with a result is the task; its caller may stop waiting for it.
//   - [Use]: like Do, with a resource out of [Resources] that belongs to the task while it runs: a
//     model, a handle that is not safe for concurrent use, a process (package child).
//
// # The life of a call
//
//	         a worker is idle, or
//	         becomes so, and the
//	         slots are free         the task returns
//	waiting ──────────────► begun ───────────────────► ended
//	 │ │                      │
//	 │ └► left                └► abandoned  the context of Do or Use has ended: its caller gets the
//	 └──► late, closed                      context's error now, the worker is kept until the
//	      (shed)                            task returns, and what that returns is dropped
//
// A call that finds the queue full, or the pool stopped, is shed before it waits. No call waits
// longer than [Config.Wait]. Calls get workers in the order in which they arrive, except those that
// wait for slots. The time in the queue counts towards [Config.Timeout] and towards any deadline of
// the context.
//
// # Slots
//
// Some tasks need more than a worker: a GPU, two gigabytes of memory, one of three licenses.
// [Config.Slots] says how much of each there is, and [Pool.With] how much each call needs:
//
//	heavy, err := offload.New(offload.Config{Workers: 8, Slots: offload.Slots{"GPU": 2}})
//	render, err := heavy.With(offload.Slots{"GPU": 1})
//	router.With(render.Middleware).Get("/render", renderer) // two at a time
//
// A call that waits for slots does not hold a worker. Later calls that need some of the same slots
// wait behind it, so that it gets its turn; calls that need none of them pass it.
//
// # Changes while the pool runs
//
// [Pool.Resize] adds and removes workers. [Resources.Restart] replaces all resources, one after the
// other: the new one is opened before the old one is closed, and a task keeps its resource until it
// returns, so the number of workers stays the same and no call fails. [ResourceConfig] can say that
// resources are replaced in the same way when they are too old, have done too many tasks, or have
// grown too large. [Config.Event] reports all this.
//
// # Where tasks run
//
// A handler stays on its goroutine. The pool could run it on a goroutine of its own while the
// handler's goroutine waits, but a ResponseWriter is valid only until the handler returns to the
// server, so the server's goroutine would still be occupied, and a second one as well. The change
// of goroutine would gain nothing, and would lose what belongs to a goroutine: the stack of a
// panic, runtime.Goexit through the framework's deferred functions, profiler labels and locked
// threads. So the middleware is a semaphore with a queue.
//
// While a handler waits for a worker, or for the function of Do or Use, it does not count against
// the server's MaxWorkers, but against its MaxWaiting: see [Waiting]. The context must be derived
// from that of the request. If a handler calls Do on another goroutine and computes meanwhile, it
// does not count either. Under the strategies fixed and goroutine, and when MaxWaiting handlers
// wait, a handler that waits occupies its worker of the server. Then MaxWorkers must be well above
// Workers + Queue, or light requests wait behind heavy ones after all. With the default limits,
// this matters only under Fixed, whose MaxWorkers is 256.
//
// The functions of Do and Use run on goroutines of github.com/alitto/pond, since their caller must
// be able to return before them. A panic or runtime.Goexit is passed on to the caller: see [Panic].
//
// # Why the queue is not pond's
//
// pond's queue can be bounded, is first in, first out, and can refuse a task without blocking. But
// with that queue, this package could not keep three promises:
//
//   - A call that ends before it has a worker makes room at once, whether its context has ended or
//     it has waited for Wait. pond cannot remove a task from its queue: the tasks of 256 callers
//     that have left would fill it, and all others would be shed until workers had taken those
//     tasks.
//   - A handler stays on its goroutine. pond runs functions on its own goroutines, so one of them
//     would have to block for as long as the handler runs.
//   - Handlers, functions and functions with a resource wait in one queue, and a worker takes a
//     call only while its own resource is intact. A goroutine of pond runs whatever is next.
//
// So this package assigns the worker, and pond runs the function. If a function ends while others
// wait, pond continues with the next one on the same goroutine.
//
// Nor would pond's queue make calls cheaper. This is the time per call of a task that does nothing,
// relative to Do, and the number of allocations, with 2 workers and a queue of 256. "pond" is a
// call whose caller waits without limits. "pond-limits" has the limits of Do, but a caller that
// leaves keeps its place in the queue. Most of the cost is that of the limits, not of the queue:
//
//	               1 caller        16 callers
//	Do             1     13        1     13
//	pond-limits    1.2   13        1.1   13
//	pond           0.4    4        0.4    4
//	Admit          0.2    4        0.7    6
//
// To measure it: go test -run '^$' -bench Pond -count 10 ./core/offload
//
// # Sizes
//
// When the queue is full, a task waits for about Queue × (time of a task) ÷ Workers. With 4
// workers, a queue of 256 and tasks of 50 ms, that is 3.2 seconds. If Wait is longer, say 5
// seconds, a call is shed only if the queue is full, and then at once. If Wait is shorter, say 2
// seconds, the calls at the end of the queue wait for 2 seconds and are shed then. Leave a margin:
// computing takes longer when all processors are busy. By default, Workers is one less than the
// number of processors, so that heavy computing tasks leave one processor to everything else.
//
// A task must not wait for another task in the same pool: if all workers do that, none becomes
// free. Use a separate pool for nested tasks.
package offload
