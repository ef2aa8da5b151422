//go:build !unix

package listener

// setBacklog does nothing: listen cannot be called again.
func (c *Config) setBacklog(uintptr) error { return nil }

// checkListening leaves it to [net.FileListener].
func checkListening(uintptr) error { return nil }
