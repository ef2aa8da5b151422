//go:build !unix

package listener

// setBacklog does nothing, since listen cannot be called again.
func (c *Config) setBacklog(uintptr) error { return nil }

// checkListening leaves the check to [net.FileListener].
func checkListening(uintptr) error { return nil }
