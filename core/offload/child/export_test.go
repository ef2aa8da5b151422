package child

import (
	"io"
	"time"
)

// ServeOn is Serve on pipes other than the standard ones.
func ServeOn(in io.Reader, out io.Writer, f func([]byte) ([]byte, error)) error {
	return newServer(in, out).serve(f)
}

// SetOrphanTime changes how long a task may continue after the parent has died.
func SetOrphanTime(d time.Duration) { orphanTime = d }
