package park

// An Owner has a connection, and decides what becomes of it. It has set Conn.Owner before the Set
// gets to know the connection. Several goroutines may call its methods, but not for the same
// connection at the same time.
type Owner interface {
	// Admit reports whether the connection, which has just been accepted, may stay. If not, Admit
	// has closed it, or it will be closed soon.
	Admit() bool

	// Refuse responds to the connection, which has just been accepted, and closes it at once. It is
	// called when the process has run out of descriptors, except for the one reserved for this
	// purpose.
	Refuse()

	// Expire closes the connection, which has waited too long.
	Expire()

	// Ended is called once, when the connection was closed or detached.
	Ended()
}
