package recycling

// A Strategy says which goroutine serves a connection. The zero value means the one named by the
// environment variable RECYCLING_STRATEGY, or [Recycling] if that is unset or empty.
type Strategy string

const (
	// Recycling serves connections on recycled workers; a connection that waits for its next
	// request holds none.
	Recycling Strategy = "recycling"
	// Goroutine is net/http's own server: a new goroutine for each connection.
	Goroutine Strategy = "goroutine"
	// Fixed serves connections on at most MaxWorkers workers, each of which keeps its connection
	// until it closes. Connections beyond the queue get a 503 response.
	Fixed Strategy = "fixed"
)

// Environment variables for settings that are zero in a [Server].
const (
	EnvStrategy   = "RECYCLING_STRATEGY"    // recycling, goroutine or fixed
	EnvStandby    = "RECYCLING_STANDBY"     // a positive integer
	EnvMaxWorkers = "RECYCLING_MAX_WORKERS" // a positive integer
)
