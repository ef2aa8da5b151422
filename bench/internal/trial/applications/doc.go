// Package applications builds public applications twice, plain and by core/cmd/recycle, and
// compares the two programs. Nothing in an application is changed for that, and nothing of it is in
// this repository: list has a file for each application, with its module and version, how to build
// and start it, and what to request. The go command downloads the modules.
//
// For each application, the trial
//
//   - builds both programs, and with [Config.Cold] measures how long this takes with an empty build
//     cache, and again with a full one;
//   - replays a list of requests against each, and compares the responses as they are on the wire:
//     status line, header lines in order, and body. Only what a [Mask] of the list covers, such as
//     a time or an id, may differ. The plain program is tried twice: what differs then is not the
//     server's doing, so it needs a mask;
//   - runs the application's own tests with go test and with recycle test, and compares the result
//     of each test;
//   - sends SIGTERM to both under load, and counts requests without a response;
//   - measures the CPU time of a request and the memory of an idle connection, in turns.
//
// The programs run as applications do: with their own flags, files and databases, each in a folder
// that is made for it.
package applications
