// Package pool does jobs on recycled workers.
//
// A [Pool] is a queue and up to Max workers. A worker is a goroutine that is kept when its
// job is done and goes on with the next: its stack has grown already, and it may
// own memory ([Config.New]). Workers manage themselves. No goroutine only hands out work.
//
//	something to do, nobody idle or on the way,
//	fewer than Max workers: a new one
//	                        │
//	                        ▼       the oldest job
//	┌──── called ──────► managing ───────────────────► working
//	│                     │  │ ▲ ▲                       │  │
//	│      nothing to do, │  │ │ └── done, or panicked ──┘  │ runtime.Goexit,
//	│        nobody leads ▼  │ │                            │ or Retire
//	│              leading ──┼─┘ work has come              ▼
//	│                        │                            ended
//	└────────────── idle ◄───┘ nothing to do                ▲
//	                  └──── surplus, or the pool stopped ───┘
//
// Start with [New], [Pool.Submit] and [Pool.Shutdown].
//
// # Jobs
//
// A job is a value of any type T, and [Config.Work] is the function that does all of them. With a
// function per job, T is a function type, and Work calls it. Either way a job is kept in the
// queue as it is, and not in an interface, which might have to be allocated.
//
// If jobs carry a context, [Config.Context] says where. It is looked at when the job's turn comes:
// a job that nobody waits for any more is not begun.
//
// # What is promised
//
//   - First in, first out: jobs begin in the order in which they entered the queue.
//   - No job waits while a worker is idle or may be added.
//   - No job waits for another one, but for a worker. Busy workers get at many jobs at the price of
//     one lock, but each of these is begun by whoever is free first.
//   - Wake-ups are throttled. Whoever leaves something to do calls a worker, but only one is on its
//     way at any time; when it has arrived it calls the next, if there is more to do.
//   - The worker that has been idle for the shortest time is called first: the processor's
//     caches still have its stack and memory. The one that has been idle for the longest is
//     the first to end, when more than Standby have been idle for a while.
//   - A job that panics, or ends its goroutine by [runtime.Goexit], ends nothing but itself.
//   - Nothing is allocated per job.
//   - What a Config does not ask for (Context, Metrics, CPUs, Lead) costs nothing.
//
// # Leading
//
// A pool with [Config.Lead] also takes work from outside. A worker that has nothing to do leads: it
// waits on behalf of everybody, queues what has come, calls somebody to lead or to work next,
// and goes on with the oldest job itself. The server in package recycling waits for its
// connections in this way; the pool knows nothing of that.
//
// # Ending
//
// [Pool.Shutdown] does what is queued, then ends the workers. [Pool.Close] hands back what is
// queued. [Pool.Done] tells when the last worker has ended. None of them ends a Lead
// that waits or a job at work: that is up to whoever owns what they wait on.
//
// # Why a ring under a mutex
//
// The queue is a ring under one mutex. A queue of segments without locks was the alternative, and
// it was not taken for three reasons:
//
//   - It is not cheaper. To claim a slot and to publish it are two atomic operations, and so are to
//     lock and to unlock a mutex for which nobody waits. What is expensive is to wait for it, and
//     that is rare: workers take the mutex once for many jobs, since the head of the queue is laid
//     out for them to take jobs with one atomic addition each.
//   - What does cost is waking workers, some hundred nanoseconds each. With a mutex it
//     is easy to wake few: to find nothing to do and to stand by is one step, and so is to add a
//     job and to see whether somebody is on the way already.
//   - The promises above are about the queue and the workers together: order, the bound, room for
//     whoever waits, nothing lost between the last worker that stands by and a job that comes,
//     everything handed back by Close. Under one mutex each of them is a few lines.
//
// For the same reason a worker that finds nothing to do stands by at once. Looking again for some microseconds before that was
// tried: with one goroutine that submits and one that works on two processors, an empty job then took 70 to 130 ns and not 55,
// as the two are at the queue at the same time more often.
//
// Measured where this was designed, on another machine, per empty job with one goroutine that submits and 1 to 16
// workers, by a sketch of this pool and by others:
//
//	ring, mutex, throttled wake-ups     13-22 ns
//	a buffered channel                  32-61 ns
//	pond                                54-79 ns
//	wpool (segments without locks)    119-1363 ns
//	ants                               420-504 ns
//
// Elsewhere the figures are others: where a mutex takes 21 ns to lock and unlock with nobody else there, this pool takes 50 to 65,
// and the channel 85 to 190. To measure all of them but wpool in one run: go run ./bench pool
//
// # What it does not do
//
// Jobs have no result and no priority. Nobody but Close can take one back, and one at work is
// interrupted by nobody.
package pool
