package observe

import "time"

// A TaskObserver is told about the calls of tasks at a place: see Observe of package
// core/offload/task. TaskEnd is called concurrently, on the goroutines of the callers, when a call
// is about to return or to panic. It must be fast, and must not wait for anything.
type TaskObserver interface{ TaskEnd(TaskCall) }

// A TaskCall is a call of a task that has ended.
type TaskCall struct {
	Task  string // its name
	Place string // the name that Observe was given

	// Queued is the time from the call until the task began. If the task was run several times, the
	// last one counts. If it did not begin, it is the time until the call ended.
	Queued time.Duration

	// Running is the time from the start of the task until the call ended. It is zero if the task
	// did not begin.
	Running time.Duration

	Retries int        // how often the task began again, because its worker was lost
	Result  TaskResult // how the call ended
}

// A TaskResult says how the call of a task ended.
type TaskResult uint8

const (
	TaskReturned   TaskResult = iota // the task returned without an error
	TaskFailed                       // the task returned an error, or its values could not be encoded
	TaskPanicked                     // the task panicked, or ended its goroutine
	TaskTimedOut                     // a deadline passed
	TaskLeft                         // the caller left, or its Writer failed
	TaskShedFull                     // there was no room in the queue
	TaskShedWait                     // the call waited too long for a worker
	TaskShedClosed                   // the place was closed
	TaskLost                         // the worker was lost
	TaskRefused                      // no worker knows the task, or has the slots that it needs
	numTaskResults
)

var taskResults = [numTaskResults]string{"returned", "failed", "panicked", "timed_out", "left", "shed_full", "shed_wait", "shed_closed", "lost", "refused"}

func (r TaskResult) String() string {
	if r < numTaskResults {
		return taskResults[r]
	}
	return "unknown"
}

// TaskResults returns all values of TaskResult.
func TaskResults() []TaskResult {
	list := make([]TaskResult, numTaskResults)
	for i := range list {
		list[i] = TaskResult(i)
	}
	return list
}

// A PlaceStats is the state of a place where tasks run, at one moment.
type PlaceStats struct {
	Queued  int // calls that wait for a worker
	Running int // workers that run a task
	Idle    int // workers with nothing to do
}

// A Backlog is the work for one task that is stored at a place, such as NATS, for workers on any
// machine.
type Backlog struct {
	Task     string        // its name
	Enqueued int           // enqueued tasks that are not done: queued, running or failed
	Oldest   time.Duration // the age of the oldest of them; zero if there is none
	Calls    int           // calls that wait for a worker
}
