package child

import (
	"io"
	"os"
	"time"
)

// ServeOn is Serve on pipes other than the standard ones.
func ServeOn(in io.Reader, out io.Writer, f func([]byte) ([]byte, error)) error {
	return newServer(in, out).serve(f)
}

// WatchDelay is how long a task runs before the end of the parent is noticed.
const WatchDelay = watchDelay

// SetOrphanTime changes how long a task may continue after the parent has died.
func SetOrphanTime(d time.Duration) { orphanTime = d }

// SetExit changes what is called to end the process, and returns a function that restores it.
func SetExit(f func(status int)) (restore func()) {
	exit = f
	return func() { exit = os.Exit }
}
