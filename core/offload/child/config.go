package child

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/task"
)

// defaultAttempts is a compromise: a task is tried again after its child was killed, but one that
// kills its child does not kill many.
const defaultAttempts = 3

// A Config configures a [Place]. [Open] copies it.
type Config struct {
	// Tasks are the tasks that the children can run. It must be set.
	Tasks *task.Set

	// Groups says which tasks run in which children. None means one group, named "tasks", with all
	// tasks and as many Workers as below.
	Groups []Group

	// Workers is how many children there are if there are no Groups. Zero means as many as
	// [offload.Config] says. It is an error to set it when there are Groups.
	Workers int

	// Attempts is how often a task may be given to a child, if that child is lost each time and
	// running the task again is harmless: see [task.Options]. Zero means 3. Negative is an error.
	Attempts int

	// Stash is what tasks share: see the function Stash. Nil means that there is none.
	Stash stash.Store

	// Warming is called when a child is about to prepare for a task, with the name of its group,
	// its process ID, and the name of the task; possibly by several goroutines at once. Nil means
	// that there is nothing to do. Config.Event of the group reports what else happens.
	Warming func(group string, pid int, task string)
}

// A Group is a number of children that run the same tasks. Each of them prepares for all of these:
// so what needs much memory, or a device that can be opened only once, should be in a group of its
// own.
type Group struct {
	// Name is the name of the group: 1 to 64 letters, digits, _ and -. Each has another one.
	Name string

	// Tasks are the names of the tasks. Empty means all that no other group has; only one group may
	// have no Tasks.
	Tasks []string

	// Command configures the children. If Command.New is nil, it is [Self]: a child is this program
	// again, and [Main] serves the tasks.
	Command Command

	// MaxMemory is the resident memory, in bytes, above which a child is replaced. It is measured
	// after tasks, and every CheckEvery. Zero means no limit. Negative is an error, and so is any
	// limit on systems other than Linux.
	MaxMemory int64

	// ResourceConfig configures the workers, each of which has one child: Workers is how many there
	// are. Slots are those of this group only. MaxAge, MaxTasks and Worn have a child replaced like
	// MaxMemory: it serves until its successor is ready, and no task is lost. So is a child in
	// which a task has panicked. Open and Close must not be set.
	offload.ResourceConfig[*Process]
}

// resolve checks c and replaces zero values with the defaults.
func (c Config) resolve() (Config, error) {
	switch {
	case c.Tasks == nil || len(c.Tasks.Names()) == 0:
		return c, errors.New("child: Tasks has none, want at least one")
	case c.Attempts < 0:
		return c, fmt.Errorf("child: Attempts is %d, want zero (the default) or more", c.Attempts)
	case c.Workers != 0 && len(c.Groups) > 0:
		return c, fmt.Errorf("child: Workers is %d, and there are Groups, which have their own", c.Workers)
	}
	if c.Attempts == 0 {
		c.Attempts = defaultAttempts
	}
	if c.Warming == nil {
		c.Warming = func(string, int, string) {}
	}
	c.Groups = slices.Clone(c.Groups)
	if len(c.Groups) == 0 {
		c.Groups = []Group{{Name: "tasks"}}
		c.Groups[0].Workers = c.Workers
	}
	return c, c.resolveGroups()
}

// resolveGroups checks c.Groups, and gives the group without tasks its own.
func (c Config) resolveGroups() error {
	left := map[string]bool{}
	for _, name := range c.Tasks.Names() {
		left[name] = true
	}
	names := map[string]bool{}
	var rest *Group
	for i := range c.Groups {
		g := &c.Groups[i]
		g.Tasks = slices.Clone(g.Tasks)
		switch {
		case !task.ValidName(g.Name):
			return fmt.Errorf("child: Groups[%d].Name is %q, want 1 to %d letters, digits, _ and -", i, g.Name, task.MaxName)
		case names[g.Name]:
			return fmt.Errorf("child: two of Groups have the name %q", g.Name)
		case g.Open != nil || g.Close != nil:
			return fmt.Errorf("child: Open or Close of group %q is set, want nil", g.Name)
		case g.MaxMemory < 0:
			return fmt.Errorf("child: MaxMemory of group %q is %d, want zero (no limit) or more", g.Name, g.MaxMemory)
		case len(g.Tasks) == 0 && rest != nil:
			return fmt.Errorf("child: Tasks of groups %q and %q are both empty", rest.Name, g.Name)
		case len(g.Tasks) == 0:
			rest = g
		}
		if g.MaxMemory > 0 {
			if err := checkMemory(); err != nil {
				return fmt.Errorf("child: MaxMemory of group %q is %d: %w", g.Name, g.MaxMemory, err)
			}
		}
		if g.Command.New == nil {
			g.Command.New = Self
		}
		names[g.Name] = true
		for _, name := range g.Tasks {
			if _, ok := c.Tasks.Lookup(name); !ok {
				return fmt.Errorf("child: Tasks of group %q has %q: %w", g.Name, name, task.ErrUnknown)
			}
			if !left[name] {
				return fmt.Errorf("child: Tasks of group %q has %q, which is in a group already", g.Name, name)
			}
			delete(left, name)
		}
	}
	if rest != nil {
		if rest.Tasks = slices.Sorted(maps.Keys(left)); len(rest.Tasks) == 0 {
			return fmt.Errorf("child: Tasks of group %q is empty, and the other groups have all tasks", rest.Name)
		}
	}
	return nil
}

// Self returns the command that makes a child of this program, for a Command.New that changes
// something about it, such as its environment. The child has the same arguments and the same
// standard error as this process.
func Self() *exec.Cmd {
	program, err := os.Executable()
	if runtime.GOOS == "linux" {
		// It is the same version even if the file has been replaced by a new one meanwhile.
		const running = "/proc/self/exe"
		if _, e := os.Stat(running); e == nil {
			program, err = running, nil
		}
	}
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, roleVariable+"=") })
	return &exec.Cmd{
		Path: program, Args: slices.Clone(os.Args), Env: append(env, roleVariable+"="+roleTasks), Stderr: os.Stderr, Err: err,
	}
}
