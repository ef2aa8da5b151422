// Package hosts makes hosts for trials on one machine: each is a network namespace, and all are
// connected by a bridge, which is in a namespace of its own. The network of the machine itself does
// not change.
//
//	   ┌ bridge, 10.77.0.254 ┐      the trial dials from here: [Network.Dial]
//	   │          │          │
//	host1      host2      host3     10.77.0.1, 10.77.0.2, …
//
// It needs Linux, root, and the command ip.
package hosts

import "errors"

// ErrUnsupported is wrapped by the error of [New] if this system or user cannot have hosts.
var ErrUnsupported = errors.New("hosts: they cannot be made here")

// A Host is a host of a [Network].
type Host struct {
	Name string // such as "host1"
	Addr string // its IP address
	Dir  string // a folder of its own

	net       *Network
	namespace string
}
