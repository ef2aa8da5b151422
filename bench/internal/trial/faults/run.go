package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// A Config says which rows to carry out, and for how long.
type Config struct {
	Rows  []string // their numbers; nil: all
	Short bool     // fewer connections and rounds: less than a minute instead of four
}

// A row is one fault.
type row struct {
	number int
	fault  string
	check  func(*trial) error // nil means not done
}

// rowLimit bounds the time of one row against one server.
const rowLimit = 90 * time.Second

// lanes is how many rows are carried out at the same time. Rows spend most of their time waiting.
const lanes = 4

// Run carries out the rows, and writes one Markdown table when all are done or ctx ends. It returns
// an error that names the rows in which recycling failed. Failures of net/http are in the table but
// are not errors.
func Run(ctx context.Context, c Config, p *record.Progress, w io.Writer) error {
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-faults-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	results := make([]result, len(chosen))
	for i, r := range chosen {
		results[i] = result{row: r}
	}
	source := &source{dir: dir}
	queue := make(chan *result)
	var all sync.WaitGroup
	for range lanes {
		all.Go(func() {
			for r := range queue {
				p.Say("row %d: %s", r.row.number, r.row.fault)
				r.netHTTP = carryOut(ctx, r.row, c, source, false)
				r.recycling = carryOut(ctx, r.row, c, source, true)
			}
		})
	}
	for i := range results {
		queue <- &results[i]
	}
	close(queue)
	all.Wait()
	p.Done()
	report := &harness.Report{W: w}
	writeTable(report, results)
	if err := ctx.Err(); err != nil {
		return err
	}
	report.Fail(red(results))
	return report.Err()
}

// choose returns the rows that c names.
func (c Config) choose() ([]row, error) {
	if c.Rows == nil {
		return rows, nil
	}
	var chosen []row
	for _, name := range c.Rows {
		i := slices.IndexFunc(rows, func(r row) bool { return fmt.Sprint(r.number) == name })
		if i < 0 {
			return nil, fmt.Errorf("faults: there is no row %q, want 1 to %d", name, rows[len(rows)-1].number)
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

// carryOut carries out one row against one server.
func carryOut(ctx context.Context, r row, c Config, source *source, recycling bool) outcome {
	if err := ctx.Err(); err != nil {
		return outcome{err: skip("interrupted")}
	}
	if r.check == nil {
		return outcome{err: errNotDone}
	}
	limited, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	t := &trial{ctx: limited, recycling: recycling, short: c.Short, source: source}
	err := r.check(t)
	t.cleanUp()
	if err != nil && ctx.Err() != nil {
		err = skip("interrupted")
	}
	return outcome{err: err, note: t.noted}
}

// An outcome is the result of a row for one server.
type outcome struct {
	err  error
	note string // a figure for the readers of the table
}

var errNotDone = errors.New("not done")

// A skip is the reason why a row cannot be carried out here.
type skip string

func (s skip) Error() string { return "skipped: " + string(s) }

// red reports whether the server failed.
func (o outcome) red() bool {
	var s skip
	return o.err != nil && !errors.Is(o.err, errNotDone) && !errors.As(o.err, &s)
}

func (o outcome) String() string {
	text := "ok"
	if o.err != nil {
		text = o.err.Error()
	} else if o.note != "" {
		text += " (" + o.note + ")"
	}
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// A result is a line of the table.
type result struct {
	row                row
	netHTTP, recycling outcome
}

func writeTable(report *harness.Report, results []result) {
	var cells [][]string
	for _, r := range results {
		cells = append(cells, []string{fmt.Sprint(r.row.number), r.row.fault, r.netHTTP.String(), r.recycling.String()})
	}
	report.Table([]string{"#", "fault", "net/http", "recycling"}, cells)
}

// red returns an error if recycling failed in a row.
func red(results []result) error {
	var numbers []string
	for _, r := range results {
		if r.recycling.red() {
			numbers = append(numbers, fmt.Sprint(r.row.number))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	return fmt.Errorf("faults: recycling failed in %d rows: %s", len(numbers), strings.Join(numbers, ", "))
}
