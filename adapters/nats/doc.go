// Package recyclingnats runs tasks on other machines, through NATS. Two kinds of work go there:
//
//   - A call: a [Client] is a [task.Place], so the handler of a request waits for the result,
//     within its deadline.
//   - An enqueued task: [Enqueue] returns an id at once, and the task is done some time, even if
//     everything is restarted meanwhile.
//
// The web server and the workers are the same program in two roles:
//
//	var tasks task.Set
//	var shrink = task.Register(&tasks, "shrink", resize, task.Options{Idempotent: true})
//
//	config := recyclingnats.Config{Embedded: embedded.Start} // or NATS_URL says where NATS is
//	if role == "worker" {
//		return recyclingnats.Serve(ctx, config, &tasks, recyclingnats.WorkerConfig{})
//	}
//	client, err := recyclingnats.Connect(ctx, config)
//	...
//	small, err := shrink.Do(r.Context(), client, large)
//	...
//	unique := recyclingnats.EnqueueOptions{Key: name}
//	id, err := recyclingnats.Enqueue(r.Context(), client, shrink, large, unique)
//	...
//	recyclingnats.Accepted(w, id, "/tasks/"+id)
//
// Without NATS_URL, [Config.Embedded] starts a server in the process, with a connection through
// memory; one process is then both roles, with [Client.NewWorker]. The server is in a module of its
// own, adapters/nats/embedded, so that an application with a NATS cluster neither contains it nor
// has its dependencies.
//
// # Where the backlog is
//
// Calls wait in one stream of JetStream, in memory, and enqueued tasks in another, in files. Both
// are work queues with pull consumers: a worker asks for a task when it has a free worker and the
// slots for it, and gives back at once what it has no room for. So nothing waits on a worker's
// machine, and the backlog is in one place, where [Client.Backlog] and the nats command show it.
// Both streams are limited. When one is full, the caller gets an [*offload.ShedError] with
// [offload.ErrFull].
//
// Workers are assigned to groups of tasks: see [Config.Groups]. While there is a backlog, calls
// come before enqueued tasks, in seven of eight turns.
//
// # Calls
//
//	caller                 NATS                   worker
//	request ─────────────► stream ──────────────► asks: may it begin?
//	grants, or cancels  ◄──────────────────────── (a subject of this call only)
//	        ────────────────────────────────────► runs; tells once a second that it runs
//	chunks, outcome     ◄────────────────────────
//	credits, or cancel  ────────────────────────►
//
// The caller lets one worker begin. So a call is begun at most once, unless it is sent again
// because it is idempotent; and never after its caller has left or its deadline has passed, however
// long the request was in the stream. The remaining time is sent, so that clocks need not agree. An
// idempotent task that came to an idle worker begins without asking.
//
// The alternatives were: core NATS requests to a queue group, which go to a worker whether or not
// it has room, so the backlog would be in the workers; workers that announce their room to callers,
// where the backlog would be in the callers, and several of them would compete for the same room;
// and acknowledging the message only when the task is done, with which NATS would run tasks again
// that must not be. A call passes the stream once and has two or three exchanges. This command
// prints the median and the 99th percentile of an empty call over the embedded server, and those of
// two requests with core NATS, which are the floor:
//
//	go test -run '^$' -bench Call ./adapters/nats/embedded
//
// Each call has a subject of its own for its answers, which is never used again, and each attempt
// has a number, so an answer that is late, or of another attempt, is dropped. The chunks of an
// output are numbered: if one is lost, the call fails with an error that wraps [task.ErrLost].
//
// If a worker says nothing for 1.5 s, the caller asks whether it is there. The worker is lost at
// once if NATS knows that it is gone, and otherwise after nine unanswered questions, about 8 s.
// Then the call is sent again, up to three times, if [task.Job.Retry] allows it; otherwise the
// error wraps task.ErrLost. If the caller leaves, or its process dies, the context of the task
// ends.
//
// Inputs and outputs above 256 KiB, and streams, go from process to process in chunks. A worker
// sends at most 16 chunks more than the caller has consumed.
//
// # Enqueued tasks
//
// The subject of an enqueued task contains its id, and the stream takes only one message of each
// subject; the id of a task with a key is a hash of the key. So a task is in the stream once. When
// it has ended, its record in a key-value bucket takes the place of the message: the record is
// written first, and every write of it compares the revision. A task with a key is not enqueued
// again while either of them exists, that is, until [Config.Keep] after it ended.
//
//	queued ──► running ──► done
//	  ▲  ▲       │  │
//	  │  └failed◄┘  └────► dead ──► (deleted)
//	  └──────────────────────┘
//
// An attempt is counted before it begins, in the record. If its worker is lost, the message is
// delivered again after [Config.AckWait]; a task that kills every worker is given up after
// [Config.Attempts], like one that fails every time. JetStream's own MaxDeliver is not used: it
// counts deliveries that began nothing, and drops a message silently when the last worker dies.
// A task that is given up is copied to the stream of dead letters before its record is written and
// its message is removed: see [Client.Dead], [Client.RetryDead] and [Client.DeadHandler]. If that
// handler is at /dead/ of an internal address:
//
//	curl http://localhost:9091/dead/               # list
//	curl -X POST http://localhost:9091/dead/ID/retry
//	curl -X DELETE http://localhost:9091/dead/ID
//
// A task may be run more than once: if its worker is killed after the work but before the record,
// or cannot reach NATS for AckWait. The result of the first attempt that completes stays, even if
// the task had been given up meanwhile. Once that is recorded, the task is not run again. The
// record of a task that runs for longer than Keep expires; then its attempts are counted anew.
//
// # When NATS is away
//
// Clients and workers reconnect for ever. Calls and Enqueue try again for [Config.Wait], and are
// then shed with [ErrAway]. A call that runs meanwhile is lost, unless NATS is back within seconds.
// A worker that has done an enqueued task, but cannot store its result, tries until it can, and
// takes no other task in its place.
//
// # A worker that ends
//
// When the context of [Worker.Run] ends, as on SIGTERM, the worker takes no more tasks, finishes
// what it has within [WorkerConfig.Grace], and gives back the rest: enqueued tasks go to other
// workers at once, and the attempt does not count.
//
// # Scaling with KEDA
//
// [Client.BacklogHandler] serves a document for KEDA's metrics-api scaler. This ScaledObject keeps
// one worker for every ten tasks:
//
//	apiVersion: keda.sh/v1alpha1
//	kind: ScaledObject
//	metadata:
//	  name: workers
//	spec:
//	  scaleTargetRef:
//	    name: workers # the Deployment
//	  minReplicaCount: 1
//	  maxReplicaCount: 20
//	  triggers:
//	  - type: metrics-api
//	    metadata:
//	      url: http://web.default.svc:9091/backlog
//	      valueLocation: tasks.shrink.enqueued
//	      targetValue: "10"
//
// # Rights
//
// A client needs to publish to $JS.API.>, $JS.ACK.>, $KV.>, $O.> and the subjects that begin with
// [Config.Name], and to subscribe to _INBOX.> and, if it is a worker, to NAME.roll.*. Whoever may
// publish to those subjects can run tasks and read results.
package recyclingnats
