package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A stock is where records and large inputs and outputs are.
type stock struct {
	mu      sync.Mutex // guards following
	state   jetstream.KeyValue
	inputs  jetstream.ObjectStore
	outputs jetstream.ObjectStore
}

// setup creates what does not exist, at most once a second: a server that keeps streams in memory
// forgets them when it starts again.
type setup struct {
	mu   sync.Mutex // held while creating
	last time.Time
}

const (
	dedupeWindow = 2 * time.Minute
	callBytes    = 64 << 20 // of all calls that wait; NATS reserves that much memory
)

// createWithin is how long JetStream may take to create one stream. While its servers have no
// leader, requests may get no answer at all, so they are repeated soon.
const createWithin = 3 * time.Second

// ensure creates the streams and buckets.
func (c *Client) ensure(ctx context.Context) error {
	for _, s := range c.streams() {
		err := timely(ctx, func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, s)
			return err
		})
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
	}
	return c.openStock(ctx)
}

// timely calls f with a context that ends after createWithin.
func timely(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, createWithin)
	defer cancel()
	return f(ctx)
}

// restore is ensure for a running program that found something missing. It logs the error.
func (c *Client) restore(ctx context.Context) error {
	if !c.setup.mu.TryLock() {
		return nil // it is being done
	}
	defer c.setup.mu.Unlock()
	if time.Since(c.setup.last) < time.Second {
		return nil
	}
	err := c.ensure(ctx)
	c.setup.last = time.Now()
	if err != nil {
		c.log.Warn("recyclingnats: cannot create streams", "error", err)
	}
	return err
}

func (c *Client) streams() []jetstream.StreamConfig {
	o := &c.c
	return []jetstream.StreamConfig{{
		Name:        o.callStream(),
		Description: "calls of tasks that wait for a worker",
		Subjects:    []string{o.calls() + ".>"},
		Retention:   jetstream.WorkQueuePolicy,
		Storage:     jetstream.MemoryStorage,
		Replicas:    o.Replicas,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     int64(o.Queue),
		MaxBytes:    min(callBytes, o.BacklogBytes),
		MaxAge:      o.callAge(),
		Duplicates:  time.Second, // not used
	}, {
		Name:                 o.jobStream(),
		Description:          "enqueued tasks that are not done",
		Subjects:             []string{o.jobs() + ".>"},
		Retention:            jetstream.WorkQueuePolicy,
		Storage:              o.storage(),
		Replicas:             o.Replicas,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
		MaxMsgsPerSubject:    1,
		MaxMsgs:              int64(o.Backlog),
		MaxBytes:             o.BacklogBytes,
		Duplicates:           time.Second, // the subject is what makes a task unique
	}, {
		Name:              o.deadStream(),
		Description:       "enqueued tasks that were given up",
		Subjects:          []string{o.dead() + ".>"},
		Storage:           o.storage(),
		Replicas:          o.Replicas,
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: 1,
		MaxMsgs:           int64(o.Backlog),
		MaxBytes:          o.BacklogBytes,
		Duplicates:        time.Second,
	}}
}

// callAge bounds how long a call stays in the stream if its caller has disappeared.
func (c *Config) callAge() time.Duration {
	if c.Wait < 0 {
		return time.Hour
	}
	return c.Wait + 10*time.Second
}

func (c *Config) storage() jetstream.StorageType {
	if c.URL == "" && c.Dir == "" {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

func (c *Client) openStock(ctx context.Context) error {
	o := &c.c
	var state jetstream.KeyValue
	err := timely(ctx, func(ctx context.Context) (err error) {
		state, err = c.bucket(ctx, o.stateBucket(), "states and results of enqueued tasks", o.BacklogBytes, o.Keep)
		return err
	})
	if err != nil {
		return fmt.Errorf("bucket %s: %w", o.stateBucket(), err)
	}
	inputs, err := c.openObjects(ctx, o.inputBucket(), "large inputs of enqueued tasks", 0)
	if err != nil {
		return err
	}
	outputs, err := c.openObjects(ctx, o.outputBucket(), "large results of enqueued tasks", o.Keep)
	if err != nil {
		return err
	}
	c.stock.mu.Lock()
	c.stock.state, c.stock.inputs, c.stock.outputs = state, inputs, outputs
	c.stock.mu.Unlock()
	return nil
}

func (c *Client) openObjects(ctx context.Context, bucket, about string, keep time.Duration) (s jetstream.ObjectStore, err error) {
	err = timely(ctx, func(ctx context.Context) (err error) {
		s, err = c.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
			Bucket:      bucket,
			Description: about,
			TTL:         keep,
			MaxBytes:    c.c.BacklogBytes,
			Storage:     c.c.storage(),
			Replicas:    c.c.Replicas,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return s, nil
}

func (c *Client) state() jetstream.KeyValue {
	c.stock.mu.Lock()
	defer c.stock.mu.Unlock()
	return c.stock.state
}

func (c *Client) inputs() jetstream.ObjectStore {
	c.stock.mu.Lock()
	defer c.stock.mu.Unlock()
	return c.stock.inputs
}

func (c *Client) outputs() jetstream.ObjectStore {
	c.stock.mu.Lock()
	defer c.stock.mu.Unlock()
	return c.stock.outputs
}

// consumer creates the consumer of a group.
func (c *Client) consumer(ctx context.Context, stream, subjects, group string, ackWait time.Duration) error {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	config := jetstream.ConsumerConfig{
		Durable:       group,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1, // attempts are counted in the task's record, where none is lost
		MaxAckPending: -1,
		MaxWaiting:    maxWaiting,
		FilterSubject: subjects + "." + group + ".>",
		MemoryStorage: s.CachedInfo().Config.Storage == jetstream.MemoryStorage,
	}
	_, err = s.CreateOrUpdateConsumer(ctx, config)
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return nil
	}
	return err
}

// bucket creates a key-value bucket. It differs from those that package jetstream creates in that
// only the leader answers questions, so that everybody sees what has been written before.
func (c *Client) bucket(ctx context.Context, name, what string, size int64, ttl time.Duration) (jetstream.KeyValue, error) {
	window := dedupeWindow
	if ttl > 0 {
		window = min(window, ttl)
	}
	_, err := c.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:                   "KV_" + name,
		Description:            what,
		Subjects:               []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject:      1,
		MaxBytes:               size,
		MaxAge:                 ttl,
		Storage:                c.c.storage(),
		Replicas:               c.c.Replicas,
		Discard:                jetstream.DiscardNew,
		AllowRollup:            true,
		DenyDelete:             true,
		Duplicates:             window,
		AllowMsgTTL:            true,
		AllowDirect:            c.c.Replicas == 1, // faster, and then only the leader can answer
		SubjectDeleteMarkerTTL: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	return c.js.KeyValue(ctx, name)
}
