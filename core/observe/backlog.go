package observe

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	// backlogAge is how long a backlog is used again, because reading it may be expensive.
	backlogAge = 5 * time.Second
	// backlogWait is how long reading one may take, because a page or a scrape waits for it.
	backlogWait = time.Second
)

// A backlogReader reads the backlog of one place.
type backlogReader struct {
	read func(context.Context) ([]Backlog, error)

	mu   sync.Mutex // guards following; held while read is called
	last []Backlog
	at   time.Duration // when last was read; see Now
}

// now returns the backlog as it was at most backlogAge ago. It is nil if it cannot be read.
func (r *backlogReader) now() []Backlog {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at > 0 && Now()-r.at < backlogAge {
		return r.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogWait)
	defer cancel()
	list, err := r.read(ctx)
	if err != nil {
		list = nil
	}
	r.last, r.at = list, Now()
	return list
}

// AddBacklog makes Backlogs return what read returns, under the name of a place. read must return
// when its context ends, which is after a second; it is called by one goroutine at a time, at most
// every 5 seconds. If there is a backlog of this name already, it is replaced.
func (rec *TaskRecorder) AddBacklog(place string, read func(context.Context) ([]Backlog, error)) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.backlogs[place] = &backlogReader{read: read}
}

// Backlogs returns the backlog of each place that AddBacklog was given, by name, as it was at most
// 5 seconds ago. A backlog that cannot be read is empty.
func (rec *TaskRecorder) Backlogs() map[string][]Backlog {
	rec.mu.Lock()
	readers := maps.Clone(rec.backlogs)
	rec.mu.Unlock()
	list := make(map[string][]Backlog, len(readers))
	for place, r := range readers {
		list[place] = r.now()
	}
	return list
}
