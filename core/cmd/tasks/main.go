// Command tasks shows and changes the workers of a running program that serves
// github.com/recycling-go/recycling/core/offload/task/manage.
//
//	tasks list                 # the groups of tasks
//	tasks add GROUP [N]        # add N workers, or one
//	tasks remove GROUP [N]     # remove N workers, or one, when their tasks have ended
//	tasks restart GROUP        # replace all workers without losing a task, and wait for that
//
// The flags come first: -addr is the URL of the handler, -socket is a Unix socket to connect to
// instead of the host in -addr, and -timeout is how long to wait. The exit status is 0, or 1 if
// something has failed, or 2 if the arguments are wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
)

const usage = `Usage: tasks [flags] list
       tasks [flags] add GROUP [N]
       tasks [flags] remove GROUP [N]
       tasks [flags] restart GROUP

Flags:
`

// maxReply is the size of the largest response that is read, in bytes.
const maxReply = 16 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs the command and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("tasks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	addr := flags.String("addr", "http://127.0.0.1:9091/tasks", "`URL` of the handler")
	socket := flags.String("socket", "", "`path` of the Unix socket to connect to, instead of the host of -addr")
	timeout := flags.Duration("timeout", 0, "how long to wait; 0 means until the restart has ended, and 10s for anything else")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	form, err := parse(flags.Args())
	if err == nil {
		err = check(*addr, *timeout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "tasks:", err)
		flags.Usage()
		return 2
	}
	c := client{addr: *addr, http: newHTTP(*socket)}
	if *timeout == 0 && form.Get("action") != "restart" {
		*timeout = 10 * time.Second
	}
	if *timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *timeout)
		defer cancel()
	}
	if err := c.run(ctx, form, stdout); err != nil {
		fmt.Fprintln(stderr, "tasks:", err)
		return 1
	}
	return 0
}

func check(addr string, timeout time.Duration) error {
	u, err := url.Parse(addr)
	switch {
	case err != nil:
		return fmt.Errorf("-addr: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("-addr is %q, want a URL such as http://127.0.0.1:9091/tasks", addr)
	case timeout < 0:
		return fmt.Errorf("-timeout is %v, want zero or more", timeout)
	}
	return nil
}

// parse returns the form to send, or nil for list.
func parse(args []string) (url.Values, error) {
	if len(args) == 0 {
		return nil, errors.New("there is no command, want list, add, remove or restart")
	}
	most := 0
	switch args[0] {
	case "list":
		most = 1
	case "add", "remove":
		most = 3
	case "restart":
		most = 2
	default:
		return nil, fmt.Errorf("the command is %q, want list, add, remove or restart", args[0])
	}
	switch {
	case len(args) > most:
		return nil, fmt.Errorf("%s has %d arguments, want at most %d", args[0], len(args)-1, most-1)
	case args[0] == "list":
		return nil, nil
	case len(args) < 2 || args[1] == "":
		return nil, fmt.Errorf("%s needs the name of a group", args[0])
	}
	form := url.Values{"action": {args[0]}, "group": {args[1]}}
	if len(args) == 3 {
		if n, err := strconv.Atoi(args[2]); err != nil || n < 1 {
			return nil, fmt.Errorf("number is %q, want 1 or more", args[2])
		}
		form.Set("n", args[2])
	}
	return form, nil
}

// A client talks to the handler.
type client struct {
	addr string
	http *http.Client
}

// newHTTP returns a client that connects to socket, unless that is empty. It does not follow
// redirects, which the handler never sends.
func newHTTP(socket string) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// run sends a request, and prints the reply.
func (c *client) run(ctx context.Context, form url.Values, w io.Writer) error {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, c.addr, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	defer c.http.CloseIdleConnections()
	var reply manage.Reply
	if err := json.NewDecoder(io.LimitReader(res.Body, maxReply)).Decode(&reply); err != nil {
		return fmt.Errorf("%s responds with status %s and not with JSON; is it the right path? (%w)", req.URL.Redacted(), clean(res.Status), err)
	}
	switch {
	case form != nil && res.StatusCode == http.StatusOK && reply.Group != form.Get("group"):
		return fmt.Errorf("%s responds, but not as expected; is it the right path?", req.URL.Redacted())
	case form == nil && (res.StatusCode == http.StatusOK || len(reply.Groups) > 0):
		list(w, reply.Groups, time.Now())
	case res.StatusCode != http.StatusOK:
	case form.Get("action") == "restart":
		fmt.Fprintf(w, "%s: all workers have been replaced\n", clean(reply.Group))
	default:
		fmt.Fprintf(w, "%s: %d workers\n", clean(reply.Group), reply.Workers)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s (status %d)", clean(reply.Error), res.StatusCode)
	}
	return nil
}

// list prints groups as a table.
func list(w io.Writer, groups []task.Group, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "GROUP\tWORKERS\tRUNNING\tQUEUED\tRESTARTS\tOLDEST\tMEMORY\tTASKS")
	for _, g := range groups {
		oldest, memory, tasks := "-", "-", "all others"
		if !g.Oldest.IsZero() {
			oldest = now.Sub(g.Oldest).Round(time.Second).String()
		}
		if g.Memory > 0 {
			memory = fmt.Sprintf("%.1f MiB", float64(g.Memory)/(1<<20))
		}
		if len(g.Tasks) > 0 {
			tasks = strings.Join(g.Tasks, " ")
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", clean(g.Name), g.Workers, g.Running, g.Queued, g.Restarts, oldest, memory, clean(tasks))
	}
}

// clean returns s without what would control a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}
