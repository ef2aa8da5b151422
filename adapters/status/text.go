package status

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// text returns r for a terminal.
func (r *report) text() []byte {
	var b bytes.Buffer
	p := &r.Process
	fmt.Fprintf(&b, "%s, process %d, up for %s, at %s\n", p.Host, p.PID, duration(p.Uptime), r.Time.Format("2006-01-02 15:04:05 UTC"))
	for i := range r.Servers {
		r.Servers[i].text(&b, r.Heading(i))
	}
	if len(r.Servers) == 0 {
		fmt.Fprint(&b, "\nThis page shows no server yet.\n")
	}
	for _, t := range r.Tasks {
		t.text(&b)
	}
	fmt.Fprint(&b, "\nProcess\n")
	writeLimits(&b, p.Limits())
	fmt.Fprintf(&b, "  %s goroutines, GOMAXPROCS %d\n", number(p.Goroutines), p.Processors)
	revision := cmp.Or(r.Build.Revision, "unknown")
	if r.Build.Modified {
		revision += ", modified"
	}
	fmt.Fprintf(&b, "  program %s %s, revision %s, %s\n", cmp.Or(r.Build.Module, "unknown"), r.Build.Version, revision, r.Build.Go)
	return b.Bytes()
}

func (s *serverReport) text(b *bytes.Buffer, heading string) {
	stats := &s.Stats
	fmt.Fprintf(b, "\n%s: %s, %s: %s\n", heading, s.State, strings.ToUpper(string(s.Level)), s.Summary)
	if stats.Version != "" {
		fmt.Fprintf(b, "  recycling %s, strategy %s\n", stats.Version, stats.Strategy)
	}
	if s.HasWorkers() {
		fmt.Fprintf(b, "  workers      %s busy, %s standby", number(stats.Busy), number(stats.Standby))
		if stats.Waiting > 0 {
			fmt.Fprintf(b, "; %s wait in package offload", number(stats.Waiting))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "  connections  %s open, %s parked, %s queued, %s in a handshake\n", number(stats.Open), number(stats.Parked), number(stats.Queued), number(stats.Handshakes))
	fmt.Fprintf(b, "  requests     %s/s, p50 %s, p99 %s, %s in flight\n", rate(s.Requests.PerSecond), s.Durations.P50Text(), s.Durations.P99Text(), number(s.InFlight))
	if s.HasWorkers() {
		fmt.Fprintf(b, "  queueing     p50 %s, p99 %s, of %s requests that waited and have ended\n", s.QueueDelay.P50Text(), s.QueueDelay.P99Text(), number(s.QueueDelay.Count))
	}
	fmt.Fprintf(b, "  Rates and quantiles are those %s.\n", s.WindowText())

	for _, t := range s.Trouble() {
		fmt.Fprintf(b, "\n  %s, %s: %s/s, %s in all\n    %s\n    %s\n", t.Reason, t.What, rate(t.PerSecond), number(t.Total), t.Meaning, t.Advice)
	}
	if s.HasWorkers() {
		fmt.Fprint(b, "\n")
		writeLimits(b, s.Limits)
	}
	if len(s.Routes) > 0 {
		fmt.Fprint(b, "\n")
		t := newTable(b)
		fmt.Fprint(t, "  per s\t p50\t p99\t 4xx\t 5xx\t total\t route\n")
		for _, r := range s.BusiestRoutes() {
			fmt.Fprintf(t, "  %s\t %s\t %s\t %s\t %s\t %s\t %s %s\n", rate(r.PerSecond), r.P50Text(), r.P99Text(), number(r.ClientErrors), number(r.ServerErrors), number(r.Total), r.Method, r.Name())
		}
		t.Flush()
		if n := s.HiddenRoutes(); n > 0 {
			fmt.Fprintf(b, "  and %s routes with fewer requests\n", number(n))
		}
	}
	if len(s.Active) > 0 {
		fmt.Fprint(b, "\n  oldest requests in flight\n")
		t := newTable(b)
		for _, a := range s.Active {
			fmt.Fprintf(t, "  %s\t %s\t %s %s\n", duration(a.Age), a.Peer, a.Method, a.Path)
		}
		t.Flush()
	}
}

func writeLimits(b *bytes.Buffer, limits []limit) {
	t := newTable(b)
	for _, l := range limits {
		near := ""
		if l.Near() {
			near = ", NEAR ITS LIMIT"
		}
		fmt.Fprintf(t, "  %s\t %s\t of %s\t %s\t %s%s\n", l.Name, l.UsedText(), l.LimitText(), l.Percent(), l.What, near)
	}
	t.Flush()
}

func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
}
