// Package tasktest is a behaviour suite for places where tasks run: every [task.Place] must pass
// it. It tests what package task promises to a caller, whatever the place is. Every behaviour is a
// named claim.
//
//	func TestPlace(t *testing.T) {
//		tasktest.Run(t, tasktest.Target{
//			Name: "mine",
//			Start: func(t testing.TB, c offload.Config) *tasktest.Instance {
//				…
//			},
//		})
//	}
//
// A [Target] says how to start the place under test, and what it cannot do. The workers of the
// place, which may be other processes, run the tasks in [Tasks]. A test that has to know what
// happens in a task, or to decide what it does next, gives the task the address of a listener on
// the loopback interface; the task connects to it and takes orders.
//
// Every wait ends with the event that the test waits for, or fails after a minute. No test
// expects a place to be fast.
package tasktest
