// Package record keeps what a run of bench measured: tables of raw samples. Text, pages and comparisons are
// made from nothing else, so that a file can say all that its run could.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// A Run is what one call of bench measured. It is what a file holds, as JSON.
type Run struct {
	Time    time.Time         `json:"timestamp"` // when it began
	Args    []string          `json:"args"`      // what bench was called with
	Machine Machine           `json:"machine"`
	Modules map[string]string `json:"modules"` // versions, by path
	Tables  []*Table          `json:"tables"`
}

// A Table is measurements with the same columns. Its Rows are all combinations of keys that were measured.
type Table struct {
	Name     string   `json:"name"`  // a word, which no other table of the run has
	Title    string   `json:"title"` // a line
	Note     string   `json:"note,omitempty"`
	Keys     []string `json:"keys"`               // what tells rows apart, the last the contestant's name
	Baseline string   `json:"baseline,omitempty"` // the contestant all others are compared with; empty: no ratios
	Columns  []Column `json:"columns"`
	Charts   []Chart  `json:"charts,omitempty"`
	Rows     []*Row   `json:"rows"`

	// Published is what others measured elsewhere, shown beside and never mixed with the rows.
	Published []Published `json:"published,omitempty"`
}

// A Column is one figure of each row.
type Column struct {
	Name   string `json:"name"`
	Unit   string `json:"unit,omitempty"`
	Format string `json:"format"` // of package fmt, for one float64
	Better Better `json:"better,omitempty"`

	// Grain is how much two figures near zero must differ to be different at all: a part of an allocation for each
	// job is a matter of when the collector runs.
	Grain float64 `json:"grain,omitempty"`
}

// Better says which figures are good ones. Empty: neither, or they are too much a matter of luck to tell.
type Better string

const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// A Row is one contestant in one situation.
type Row struct {
	Key     []string             `json:"key"`
	Samples map[string][]float64 `json:"samples"` // by the name of the column: one for each round

	// Detail is more about each round, for those who read the file; nil if there is no more.
	Detail []any `json:"detail,omitempty"`

	// Failed says why figures do not count, or are not there; empty if nothing went wrong.
	Failed string `json:"failed,omitempty"`
}

// A Chart is a picture of one column.
type Chart struct {
	Name   string            `json:"name"` // of its file: a word, which no other chart of the run has
	Title  string            `json:"title"`
	Column string            `json:"column"`
	Where  map[string]string `json:"where,omitempty"` // keys and their values: of which rows
	X      string            `json:"x"`               // the key along the axis
	Series string            `json:"series"`          // the key told apart by colour, usually the contestant's
	Lines  bool              `json:"lines,omitempty"` // lines over a numeric axis; else grouped bars
	Log    bool              `json:"log,omitempty"`   // both axes, or that of the bars, are logarithmic
}

// A Published figure comes from somebody else's machine.
type Published struct {
	Source string `json:"source"` // who says so, and where
	What   string `json:"what"`
	Value  string `json:"value"` // with its unit
}

// New returns a Run that begins now, on this machine.
func New(args []string) *Run {
	return &Run{Time: time.Now(), Args: args, Machine: thisMachine(), Modules: modules()}
}

// Row returns the row of that key, which it adds if there is none.
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

// Base returns the row that r is compared with; nil if there is none, or it is r itself.
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

// Column returns the column of that name.
func (t *Table) Column(name string) (c Column, ok bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// Add adds one round's figure.
func (r *Row) Add(column string, v float64) { r.Samples[column] = append(r.Samples[column], v) }

// Median returns the middle of a column's samples; ok is false if there are none.
func (r *Row) Median(column string) (v float64, ok bool) {
	s := r.Samples[column]
	return Median(s), len(s) > 0
}

// Ratio returns r's median over base's; ok is false if there is none.
func (r *Row) Ratio(base *Row, column string) (v float64, ok bool) {
	if base == nil {
		return 0, false
	}
	a, ok1 := r.Median(column)
	b, ok2 := base.Median(column)
	if !ok1 || !ok2 || b == 0 {
		return 0, false
	}
	return a / b, true
}

// Drop leaves out tables in which nothing was measured.
func (r *Run) Drop() {
	r.Tables = slices.DeleteFunc(r.Tables, func(t *Table) bool { return len(t.Rows) == 0 })
}

// Err returns an error if something went wrong anywhere in the run.
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

// Read returns the run that a file holds.
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

// check says what is wrong with a run that did not come from this program.
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
