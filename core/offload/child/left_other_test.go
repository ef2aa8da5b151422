//go:build !linux

package child_test

type leavings struct{}

// left cannot tell here.
func left() leavings { return leavings{} }
