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
// # What is promised
//
//   - First in, first out: jobs begin in the order in which they entered the queue.
//   - No job waits while a worker is idle or may be added.
//   - Wake-ups are throttled. Whoever leaves something to do calls a worker, but only one is on its
//     way at any time; when it has arrived it calls the next, if there is more to do.
//   - The worker that has been idle for the shortest time is called first: the processor's
//     caches still have its stack and memory. The one that has been idle for the longest is
//     the first to end, when more than Standby have been idle for a while.
//   - A job that panics, or ends its goroutine by [runtime.Goexit], ends nothing but itself.
//   - Nothing is allocated per job.
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
// # What it does not do
//
// Jobs have no result, no priority and no deadline, and nobody but Close can take one back.
package pool
