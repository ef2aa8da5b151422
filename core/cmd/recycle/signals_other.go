//go:build !unix

package main

import (
	"os"
	"syscall"
)

const quit = syscall.SIGQUIT

var forwarded = []os.Signal{os.Interrupt}
