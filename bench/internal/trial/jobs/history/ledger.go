package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A Ledger is where a worker process notes what it runs. Each entry is written with one system
// call, to the end of a file: what has been written survives the process. Its methods may be called
// by several goroutines at once.
type Ledger struct{ file *os.File }

// An entry is a line of a ledger. Token, Key and Worker are empty in the second entry of an
// execution, its end.
type entry struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	End    bool      `json:"end,omitempty"`
	Token  string    `json:"token,omitempty"`
	Key    string    `json:"key,omitempty"`
	Worker string    `json:"worker,omitempty"`
}

// OpenLedger opens a new ledger.
func OpenLedger(file string) (*Ledger, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	return &Ledger{f}, nil
}

// Begin notes that an execution begins. Its Begin and End are not used.
func (l *Ledger) Begin(x Execution) error {
	return l.write(entry{ID: x.ID, At: time.Now(), Token: x.Token, Key: x.Key, Worker: x.Worker})
}

// End notes that an execution has come to its end.
func (l *Ledger) End(id string) error { return l.write(entry{ID: id, At: time.Now(), End: true}) }

func (l *Ledger) write(e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(b, '\n'))
	return err
}

// ReadLedgers returns the executions in all ledgers whose names match pattern.
func ReadLedgers(pattern string) ([]Execution, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var all []Execution
	for _, file := range files {
		some, err := readLedger(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func readLedger(file string) ([]Execution, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Execution
	index := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		i, begun := index[e.ID]
		switch {
		case !e.End:
			index[e.ID] = len(all)
			all = append(all, Execution{ID: e.ID, Token: e.Token, Key: e.Key, Worker: e.Worker, Begin: e.At})
		case begun:
			all[i].End = e.At
		default:
			return nil, errors.New("the end of an execution that has not begun: " + e.ID)
		}
	}
	return all, lines.Err()
}
