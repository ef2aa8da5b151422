package roll

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// patience bounds a restart, beside LameDuck.
const patience = 40 * time.Second

// backends are two servers of the same kind. One goroutine starts and stops them.
type backends struct {
	server string
	lame   time.Duration
	addrs  [2]string
	procs  [2]*harness.Process
}

func startBackends(ctx context.Context, server string, lame time.Duration) (*backends, error) {
	b := &backends{server: server, lame: lame}
	for i := range b.procs {
		addr, err := harness.FreeAddr()
		if err == nil {
			b.addrs[i] = addr
			err = b.start(ctx, i)
		}
		if err != nil {
			b.stop()
			return nil, err
		}
	}
	return b, nil
}

func (b *backends) start(ctx context.Context, i int) error {
	p, err := harness.Start(ctx, harness.Command{Args: []string{ServerArg, "-server", b.server, "-addr", b.addrs[i], "-lame", b.lame.String()}})
	if err != nil {
		return fmt.Errorf("roll: %s does not start: %w", b.server, err)
	}
	b.procs[i] = p
	return nil
}

// restart stops a server with SIGTERM, and starts it again. The server must exit with status 0.
func (b *backends) restart(ctx context.Context, i int) error {
	p := b.procs[i]
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("roll: %s: %w", b.server, err)
	}
	t := time.NewTimer(b.lame + patience)
	defer t.Stop()
	select {
	case <-p.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return fmt.Errorf("roll: %s has not exited %v after SIGTERM", b.server, b.lame+patience)
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("roll: %s: %w\n%s", b.server, err, p.Log())
	}
	return b.start(ctx, i)
}

// roll restarts the servers in turn until ctx ends, with a pause after each, and returns how many
// restarts there were.
func (b *backends) roll(ctx context.Context, pause time.Duration) (restarts int, err error) {
	for i := 0; ; i = 1 - i {
		select {
		case <-ctx.Done():
			return restarts, nil
		case <-time.After(pause):
		}
		// A restart that has begun is completed, so that its requests count.
		if err := b.restart(context.WithoutCancel(ctx), i); err != nil {
			return restarts, err
		}
		restarts++
	}
}

func (b *backends) stop() {
	for _, p := range b.procs {
		if p != nil {
			p.Kill()
		}
	}
}
