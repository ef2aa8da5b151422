// Package app has what the examples share: flags, the file to download, the limits of parameters,
// and loops that do not depend on a framework.
package app

import (
	"flag"
	"log/slog"
	"os"
)

// An App has what the routes of an example need.
type App struct {
	Addr string // the value of -addr
	Log  bool   // log every request
	File *File  // what /download sends
}

// Main parses the flags, calls serve, and ends the process.
func Main(serve func(*App) error) {
	a := new(App)
	flag.StringVar(&a.Addr, "addr", "", "listen on this `address` (default :$PORT, else :8080)")
	flag.BoolVar(&a.Log, "log", false, "log every request")
	flag.Parse()
	if err := run(a, serve); err != nil {
		slog.Error("example: " + err.Error())
		os.Exit(1)
	}
}

func run(a *App, serve func(*App) error) (err error) {
	if a.File, err = NewFile(); err != nil {
		return err
	}
	defer a.File.Remove()
	return serve(a)
}
