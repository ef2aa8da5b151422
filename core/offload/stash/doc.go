// Package stash is a small key-value store that tasks share: the state of a job, a token that
// several workers use, a result that is worth keeping for a minute. Entries may expire, and a
// revision makes it possible to change an entry only if nobody else has changed it meanwhile.
//
//	shared, err := stash.New(stash.Config{})
//	...
//	_, err = stash.PutJSON(ctx, shared, "job.17", progress, 10*time.Minute)
//	...
//	progress, _, err := stash.GetJSON[Progress](ctx, shared, "job.17")
//
// A task depends on the interface [Store], so that it need not know where the entries are. A
// [Memory] keeps them in this process. All implementations pass the tests of package stashtest, and
// so behave in the same way.
//
// # Entries
//
// An entry is a key, a value of bytes, and a revision, and it may have a time at which it expires.
// An entry that has expired does not exist.
//
// A key has 1 to [MaxKey] bytes: letters, digits and the characters - / _ = . in ASCII. It neither
// begins nor ends with a dot, has no two dots in a row, and does not begin with "_kv". These are
// the keys of a key-value bucket of NATS. A value has at most [MaxValue] bytes. It is copied, when
// it is written and when it is read, so that the caller may modify its slice.
//
// Revisions are numbers above zero. Each successful write gets a revision greater than those of all
// writes to the same store that ended before it began, whatever their keys, so a key that was
// deleted and created again never has a revision that it had before.
//
// # Compare and swap
//
// Update writes only if the entry still has the revision that the caller has read, and Create only
// if there is no entry. All others get [ErrConflict]. [ModifyJSON] reads, changes and writes, and
// repeats that after a conflict:
//
//	increment := func(n int) (int, error) { return n + 1, nil }
//	n, err := stash.ModifyJSON(ctx, shared, "visits", 0, increment)
//
// A lock that its owner may lose by dying is an entry with a time to live: Create it, do the work,
// and Delete it with the revision that Create returned. If it has expired meanwhile and somebody
// else holds the lock, Delete returns ErrConflict and changes nothing.
//
// # What it is not
//
// A stash is neither a cache nor a queue: when it is full, a write gets [ErrFull] rather than
// displace another entry. It is no database either: Memory ends with the process.
package stash
