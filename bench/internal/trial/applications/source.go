package applications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// module is the part of the output of go mod download that is used here.
type module struct {
	Dir   string
	Error string
}

// fetch downloads the application's module, and makes a copy of it in dir: the module cache must
// not change, and tests may write beside their files. A copy of an earlier run is replaced.
func (a *Application) fetch(ctx context.Context, dir string) error {
	cmd := a.command(ctx, "", "go", "mod", "download", "-json", a.Module)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Env = append(cmd.Env, "GOWORK=off")
	out, err := output(cmd)
	var m module
	if json.Unmarshal(out, &m) == nil && m.Error != "" {
		return fmt.Errorf("%s: %s", a.Module, m.Error)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.Module, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(m.Dir)); err != nil {
		return err
	}
	if err := writable(dir); err != nil {
		return err
	}
	if a.Vendor {
		if _, err := output(a.command(ctx, dir, "go", "mod", "vendor")); err != nil {
			return err
		}
	}
	for name, lines := range a.Add {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Stat(name); err == nil {
			return fmt.Errorf("field Add: the module has the file %s", name)
		}
		if err := writeLines(name, lines); err != nil {
			return err
		}
	}
	return nil
}

// writable makes the files and folders of a copy of the module cache writable.
func writable(dir string) error {
	return filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chmod(name, info.Mode().Perm()|0o200)
	})
}

// writeLines writes a file, and the folders that it needs.
func writeLines(name string, lines []string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	text := strings.Join(lines, "\n")
	if text != "" {
		text += "\n"
	}
	return os.WriteFile(name, []byte(text), 0o666)
}

// command returns a command that builds or tests the application, with the environment for it.
func (a *Application) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends its children too
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	cmd.Env = append(cmd.Env, a.BuildEnv...)
	if a.Toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+a.Toolchain)
	}
	return cmd
}

// output runs a command, and returns its standard output. The error has the end of its standard
// error.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		text := strings.TrimSpace(string(exit.Stderr))
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text[max(0, len(text)-2000):])
	}
	return out, err
}
