package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
)

// options are the flags of this command.
type options struct {
	force     bool
	core, dir string
	print     bool
}

const usage = `usage: recycle [flags] build|run|test|install [flags of the go command] [packages]
       recycle [flags] env [flags of go build] [packages]
       recycle [flags] doctor [flags of go list] [packages]
`

func main() {
	log.SetFlags(0)
	log.SetPrefix("recycle: ")
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

// run runs this command with arguments, and returns its exit code.
func run(args []string, stdout io.Writer) (int, error) {
	var o options
	flags := flag.NewFlagSet("recycle", flag.ExitOnError)
	flags.BoolVar(&o.force, "force", false, "try a Go version that has not been tested")
	flags.StringVar(&o.core, "core", "", "build with the module core in this `FOLDER`; by default with the version that this command is part of")
	flags.StringVar(&o.dir, "dir", "", "keep files for the go command in this `FOLDER`; by default in the user's folder for caches")
	flags.BoolVar(&o.print, "x", false, "print the go command before running it")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.Parse(args)
	if flags.NArg() == 0 {
		flags.Usage()
		return 2, nil
	}
	verb := flags.Arg(0)
	switch verb {
	case "build", "run", "test", "install":
	case "env", "doctor":
		verb = "build"
	default:
		return 0, fmt.Errorf("there is no command %q, want build, run, test, install, env or doctor", verb)
	}
	cmd, err := parse(verb, flags.Args()[1:])
	if err != nil {
		return 0, err
	}
	if flags.Arg(0) == "doctor" {
		return 0, doctor(cmd, stdout)
	}
	b, err := prepare(o, cmd)
	if err != nil {
		return 0, err
	}
	if flags.Arg(0) == "env" {
		text, err := b.envText()
		fmt.Fprint(stdout, text)
		return 0, err
	}
	if o.print {
		fmt.Fprint(os.Stderr, b.commandText())
	}
	return b.run()
}
