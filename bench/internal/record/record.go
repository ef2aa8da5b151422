// Package record stores what a run of bench has measured: tables of raw samples. Text, pages and
// comparisons are made only from these, so a file contains everything that there is to show of its
// run.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// A Run is what one call of bench has measured. A file stores it as JSON.
type Run struct {
	Time    time.Time         `json:"timestamp"` // when the run began
	Args    []string          `json:"args"`      // the arguments of bench
	Machine Machine           `json:"machine"`
	Modules map[string]string `json:"modules"` // versions, by path
	Tables  []*Table          `json:"tables"`
}

// A Table has measurements with the same columns. Its Rows are all combinations of keys that were
// measured. Keys distinguish the rows; the last key is the contestant's name. Baseline is the
// contestant that the others are compared with; if it is empty, there are no ratios. Terms explain
// values of keys that need it.
type Table struct {
	Name     string   `json:"name"`  // a word that is unique in the run
	Title    string   `json:"title"` // one line
	Note     string   `json:"note,omitempty"`
	Terms    []Term   `json:"terms,omitempty"`
	Keys     []string `json:"keys"`
	Baseline string   `json:"baseline,omitempty"`
	Columns  []Column `json:"columns"`

	// Subject is the contestant that a report is about: the report says where it is better and
	// worse than the others, except for References, which are not rivals. If Subject is empty, the
	// report says nothing of that kind.
	Subject    string   `json:"subject,omitempty"`
	References []string `json:"references,omitempty"`

	Charts []Chart `json:"charts,omitempty"`
	Rows   []*Row  `json:"rows"`

	// Published has figures that others have measured elsewhere. They are shown beside the rows,
	// and never mixed with them.
	Published []Published `json:"published,omitempty"`
}

// A Term is a word and what it means.
type Term struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"` // continues a line that begins with "Name: "
}

// A Column is one figure of each row.
type Column struct {
	Name   string `json:"name"`
	Label  string `json:"label,omitempty"` // for readers who do not know Name; empty: Name
	Unit   string `json:"unit,omitempty"`
	Format string `json:"format"` // a format of package fmt for one float64
	Better Better `json:"better,omitempty"`

	// Grain is the least difference between two figures near zero that counts. For example, a
	// fraction of an allocation per job depends on when the garbage collector runs.
	Grain float64 `json:"grain,omitempty"`
}

// Better says which figures are good. If it is empty, neither direction is better, or the figures
// depend too much on chance.
type Better string

const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// A Row is one contestant in one situation.
type Row struct {
	Key     []string             `json:"key"`
	Samples map[string][]float64 `json:"samples"` // by column: one for each round

	// Detail has more figures of each round, for readers of the file; nil if there are none.
	Detail []any `json:"detail,omitempty"`

	// Failed says why figures do not count or are missing; it is empty if nothing failed.
	Failed string `json:"failed,omitempty"`
}

// A Chart describes a chart of one column. Where selects rows by keys and their values. X is the
// key along the axis, and Series is the key that colours distinguish, usually the contestant. Lines
// chooses lines over a numeric axis; otherwise the chart has grouped bars. With Log, both axes, or
// the axis of the bars, are logarithmic.
type Chart struct {
	Name   string            `json:"name"` // the name of its file: a word that is unique in the run
	Title  string            `json:"title"`
	Column string            `json:"column"`
	Where  map[string]string `json:"where,omitempty"`
	X      string            `json:"x"`
	Series string            `json:"series"`
	Lines  bool              `json:"lines,omitempty"`
	Log    bool              `json:"log,omitempty"`
}

// A Published figure was measured on another person's machine.
type Published struct {
	Source string `json:"source"` // who published it, and where
	What   string `json:"what"`
	Value  string `json:"value"` // with its unit
}

// New returns a Run that begins now, on this machine.
func New(args []string) *Run {
	return &Run{Time: time.Now(), Args: args, Machine: thisMachine(), Modules: modules()}
}

// Row returns the row with the given key. It adds the row if there is none.
func (t *Table) Row(key ...string) *Row {
	for _, r := range t.Rows {
		if slices.Equal(r.Key, key) {
			return r
		}
	}
	if len(key) != len(t.Keys) {
		panic(fmt.Sprintf("record: table %s has the keys %q, and a row %q", t.Name, t.Keys, key))
	}
	r := &Row{Key: key, Samples: map[string][]float64{}}
	t.Rows = append(t.Rows, r)
	return r
}

// Base returns the row that r is compared with. It returns nil if there is none, or if r is itself
// a baseline.
func (t *Table) Base(r *Row) *Row {
	last := len(t.Keys) - 1
	if t.Baseline == "" || r.Key[last] == t.Baseline {
		return nil
	}
	for _, b := range t.Rows {
		if b.Key[last] == t.Baseline && slices.Equal(b.Key[:last], r.Key[:last]) {
			return b
		}
	}
	return nil
}

// Column returns the column with the given name.
func (t *Table) Column(name string) (c Column, ok bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// Add adds the figure of one round.
func (r *Row) Add(column string, v float64) { r.Samples[column] = append(r.Samples[column], v) }

// Median returns the median of a column's samples; ok is false if there are none.
func (r *Row) Median(column string) (v float64, ok bool) {
	s := r.Samples[column]
	return Median(s), len(s) > 0
}

// Ratios returns the ratios of r's samples to base's in the same round. If the rows have different
// numbers of rounds, it returns the ratios of r's samples to base's median. It returns nil if there
// are no ratios.
func (r *Row) Ratios(base *Row, column string) (ratios []float64) {
	if base == nil {
		return nil
	}
	a, b := r.Samples[column], base.Samples[column]
	if len(a) != len(b) && len(b) > 0 {
		b = slices.Repeat([]float64{Median(b)}, len(a))
	}
	if len(b) == 0 || slices.Contains(b, 0) {
		return nil
	}
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return ratios
}

// Ratio returns the median of Ratios; ok is false if there are none.
func (r *Row) Ratio(base *Row, column string) (v float64, ok bool) {
	ratios := r.Ratios(base, column)
	return Median(ratios), len(ratios) > 0
}

// Words returns the label, or the name if there is no label.
func (c Column) Words() string {
	if c.Label != "" {
		return c.Label
	}
	return c.Name
}

// Drop removes tables without measurements.
func (r *Run) Drop() {
	r.Tables = slices.DeleteFunc(r.Tables, func(t *Table) bool { return len(t.Rows) == 0 })
}

// Err returns an error if any row of the run has failed.
func (r *Run) Err() error {
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if row.Failed != "" {
				return fmt.Errorf("%s, %q: %s", t.Name, row.Key, row.Failed)
			}
		}
	}
	return nil
}

// Write writes r to a file.
func (r *Run) Write(file string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o666)
}

// Read returns the run that a file contains.
func Read(file string) (*Run, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Run)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s is no result of bench: %w", file, err)
	}
	return r, r.check(file)
}

// check returns an error if r cannot come from this program.
func (r *Run) check(file string) error {
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if len(row.Key) != len(t.Keys) || len(t.Keys) == 0 {
				return fmt.Errorf("%s is no result of bench: table %q has the keys %q, and a row %q", file, t.Name, t.Keys, row.Key)
			}
		}
	}
	return nil
}
