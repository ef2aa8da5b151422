// Package task lets one function run in this process, in child processes or on other machines. The
// function is registered once, by name, with a typed input and output; configuration chooses the
// [Place].
//
//	var tasks task.Set
//	var shrink = task.Register(&tasks, "shrink", shrinkPicture, task.Options{Idempotent: true})
//
//	func shrinkPicture(ctx context.Context, in Picture) (Picture, error) { ... }
//
//	small, err := shrink.Do(r.Context(), place, large)
//
// Wherever it runs, a call has the same limits, the same errors and the same panics: see [Task.Do].
//
// A [Stream] is a task that writes its output piece by piece, for example into an HTTP response.
//
// [Fail] turns the error of a call into an HTTP response. [Observe] measures calls. Package
// tasktest is the suite that every place must pass; docs/tasks.md of the repository is a guide.
package task
