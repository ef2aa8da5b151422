package soak

// ErrTarget exports errTarget for tests.
var ErrTarget = errTarget
