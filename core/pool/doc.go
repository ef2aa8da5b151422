// Package pool does jobs on recycled workers.
//
// A [Pool] has a queue and up to Max workers. A worker is a goroutine that is kept when its
// job is done and goes on with the next one: its stack has grown already, and it may own
// memory ([Config.New]). Workers manage themselves; there is no goroutine that hands
// out work.
//
//	            job submitted, nobody idle,
//	            nobody on the way, fewer than Max
//	                           │
//	                           ▼            oldest job
//	  ┌──────────────────► managing ──────────────────────► working
//	  │                        │  ▲                            │
//	  │ called                 │  └──── done, or panicked ─────┤
//	  │                        │                               │
//	  │   nothing to do        │    nothing to do              │ runtime.Goexit,
//	idle ◄─────────────────────┼───────────────────┐           │ or Retire
//	  │   and somebody leads   │   nobody leads    │           │
//	  │                        │        ▼          │           │
//	  │ surplus, or the pool   │     leading ──────┘           │
//	  │ was stopped            │        work has come: queued, │
//	  ▼                        ▼        go on with the oldest  ▼
//	ended ◄──────────────────────────────────────────────────────
//
// # What is promised
//
//   - First in, first out: jobs begin in the order in which they entered the queue.
//   - No job waits while a worker is idle or may be added.
//   - A worker is called by whoever leaves something to do, and only one is on the way at any time. When
//     that one has arrived it calls the next, if there is more. So a burst of jobs costs
//     few wake-ups, and none of them wakes a worker for nothing.
//   - The worker that has been idle for the shortest time is called first: its stack and memory
//     are still in the caches. The ones at the other end are those that end when more than Standby have
//     been idle for a while.
//   - A job that panics, or ends its goroutine with [runtime.Goexit], ends nothing but itself.
//   - Nothing is allocated for a job.
//
// # Leading
//
// A pool that is given [Config.Lead] also waits for work from outside: a worker with
// nothing to do leads, that is, it waits on behalf of everybody. When it comes back it queues what has come,
// calls the next leader or worker, and goes on with the oldest job itself. This is how the
// server in package recycling waits for connections; the pool knows nothing of that.
//
// # Ending
//
// [Pool.Shutdown] does what is queued and then ends the workers, [Pool.Close] hands back what is
// queued; [Pool.Done] says when the last worker has ended. Neither ends a Lead that waits, nor a
// job at work: that is up to whoever owns what they wait on.
//
// # What it does not do
//
// Jobs have no results, priorities or deadlines, and there is no way to take one back but Close.
package pool
