// Package jobs tries tasks on three hosts, with a NATS server and two workers on each, and two HTTP
// servers in front of them, while processes are killed at random, a host is cut off, disks are full
// and workers are paused. Then it checks that no task was lost, that no call got a wrong result,
// and that nothing was done twice for no reason.
//
//	clients ──► server0 ──┬──► host1: NATS, worker0, worker1      every host is a network
//	clients ──► server1 ──┼──► host2: NATS, worker0, worker1      namespace: see package hosts
//	                      └──► host3: NATS, worker0, worker1
//
// The NATS servers are a cluster, which keeps three copies of each stream in files. Every process
// is this executable, started again with [ProcessArg]. A process that was killed is started again
// after 0.1 to 3 seconds.
//
// # What is promised
//
// A client that has got 202 knows that its task will be done at least once. A task is executed
// again if it is not known that it was done: its worker was killed or could not be reached, or NATS
// could not take the result. No queue in the world can do better, because a worker may be killed
// between the end of its work and the note of it. What can be promised with a key is more:
//
//   - However often a task is enqueued with the same key, there is one task, with one ID. The
//     clients of the trial enqueue it two to four times, some long after it was done.
//   - It is done once: once its result is recorded, it is never executed again, and the result does
//     not change.
//   - If what a task does to the world has the same key (a row whose key is unique), then it takes
//     place once, even if an execution is interrupted and repeated. In the trial that is a file.
//
// A client that got no response, or 503, sends its task again: with the same key, or, if there is
// none, as another task. A call has an answer within its limit: its own result, or an error. A call
// that is not idempotent is executed once at most.
//
// Each worker notes the beginning and the end of each execution in a file that survives it. Package
// history compares these notes with what the clients have sent and got.
//
// # Parts
//
//  1. The storm: tasks are enqueued and calls are sent while things break; then everything runs
//     until all tasks are done.
//  2. Workers are replaced in turn, with SIGTERM, under load: no call may fail.
//  3. Whole machines are killed under load, and the time until the throughput is back is measured.
package jobs
