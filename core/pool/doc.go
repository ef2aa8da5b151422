// Package pool runs jobs on recycled workers.
//
// A [Pool] is a queue and up to Max workers. A worker is a goroutine that is kept when its job is
// done, and continues with the next: its stack has already grown, and it may own memory
// ([Config.New]). Workers manage themselves. There is no goroutine that only dispatches work.
//
//	something to do, nobody idle or being woken,
//	fewer than Max workers: a new one
//	                        │
//	                        ▼       the oldest job
//	┌──── woken ───────► managing ───────────────────► working
//	│                     │  │ ▲ ▲                       │  │
//	│      nothing to do, │  │ │ └── done, or panicked ──┘  │ leave, or runtime.Goexit
//	│        nobody leads ▼  │ │                            │
//	│              leading ──┼─┘ work has arrived           ▼
//	│                        │                            ended
//	└────────────── idle ◄───┘ nothing to do                ▲
//	                  └──── surplus, or the pool stopped ───┘
//
// A worker that has left (see [Control.Leave]) no longer counts, although its goroutine still runs.
// One whose job is paused (see [Control.Pause]) does not count until the job resumes.
//
// Start with [New], [Pool.Submit] and [Pool.Shutdown].
//
// # Jobs
//
// A job is a value of any type T, and [Config.Work] is the function that runs all of them. For one
// function per job, let T be a function type, and have Work call it. Either way the queue stores
// the job itself, not an interface, which might have to be allocated.
//
// Contexts, results and metrics of jobs are left to Work. For example, Work returns at once if the
// job's context has ended: see the example Context of [Config].
//
// # Guarantees
//
//   - First in, first out: jobs start in the order in which they entered the queue.
//   - No job waits while a worker is idle or may be added.
//   - A job waits only for a worker, never for another job. A worker claims many jobs under one
//     lock, but any free worker may run them.
//   - Wake-ups are throttled. Whoever leaves work in the queue wakes a worker, but only one worker
//     is being woken at any time. Once awake, that worker wakes the next if there is more work.
//   - The worker that became idle last is woken first: its stack and memory are still in the
//     processor's caches. The one that has been idle longest is the first to end, when more than
//     Standby workers have been idle for a while.
//   - A job that panics, or ends its goroutine with [runtime.Goexit], affects only itself. A panic
//     is logged.
//   - Nothing is allocated per job.
//   - A pool without Lead or Group pays nothing for them.
//
// # Leading
//
// A pool with [Config.Lead] also takes work from outside. A worker that has nothing to do leads: it
// waits on behalf of all workers, queues the work that arrives, wakes another worker to lead or to
// work, and then runs the oldest job itself. The server in package recycling waits for its
// connections in this way; the pool knows nothing about connections.
//
// # Groups
//
// Pools with the same [Config.Group] share one limit on workers at work. A pool that has no idle
// worker takes one from another pool before it starts one, and pools run each other's jobs when the
// limit is reached. A server with several sets of connections has a pool for each, so that they
// share no lock until they have to.
//
// # Stopping
//
// [Pool.Shutdown] finishes the queued jobs, then ends the workers. [Pool.Close] returns the queued
// jobs. [Pool.Done] reports when the last worker has ended. None of them interrupts a waiting Lead
// or a running job; whoever owns what these wait for has to do that.
//
// # Why a ring under a mutex
//
// The queue is a ring under one mutex. The alternative was a lock-free queue of segments. It was
// rejected for three reasons:
//
//   - It is not cheaper. Claiming a slot and publishing it takes two atomic operations, and so does
//     locking and unlocking an uncontended mutex. Only waiting for the mutex is expensive, and that
//     is rare: workers take it once for many jobs, since they take jobs from the head of the queue
//     with one atomic addition each.
//   - The real cost is waking workers: some hundred nanoseconds for each. With a mutex it is easy
//     to wake only a few. A worker finds nothing to do and stands by in one step. Whoever adds a
//     job sees in the same step whether a worker is already being woken.
//   - The guarantees above are about the queue and the workers together: the order, the bound, room
//     for waiting submitters, no lost wake-ups, everything returned by Close. Under one mutex each
//     of them takes a few lines.
//
// For the same reason a worker that finds nothing to do stands by at once. Polling for some
// microseconds before that was tried: with one goroutine that submits and one that works on two
// processors, an empty job then took 70 to 130 ns instead of 55, as the two collide at the queue
// more often.
//
// The following was measured on the machine where this was designed, per empty job, with one
// goroutine that submits and 1 to 16 workers, with a prototype of this pool and with others:
//
//	ring, mutex, throttled wake-ups     13-22 ns
//	a buffered channel                  32-61 ns
//	pond                                54-79 ns
//	wpool (lock-free segments)        119-1363 ns
//	ants                               420-504 ns
//
// On other machines the figures differ: where locking and unlocking an uncontended mutex takes 21
// ns, this pool takes 50 to 65, and the channel 85 to 190. To measure all of them but wpool in one
// run: go run ./bench pool
//
// # Limitations
//
// Jobs have no priority. Only Close and Pull can take jobs back, and nothing interrupts a running
// job.
package pool
