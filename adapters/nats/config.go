package recyclingnats

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	defaultName       = "tasks"
	defaultQueue      = 1024
	defaultWait       = 2 * time.Second
	defaultRetryAfter = time.Second
	defaultBacklog    = 100_000
	defaultBytes      = 1 << 30
	defaultMemory     = 64 << 20 // instead, if the embedded server has no directory
	defaultAttempts   = 5
	defaultBackoff    = time.Second
	defaultAckWait    = 30 * time.Second
	defaultKeep       = 24 * time.Hour
	maxInline         = 256 << 10
)

// A Config configures a [Client]. [Connect] copies it. All clients and workers of an application
// must have the same values from Name on.
type Config struct {
	// URL is the address of a NATS server, or several separated by commas: "nats://a:4222", or
	// "tls://a:4222" to insist on TLS. Empty means the environment variable NATS_URL. If that is
	// empty too, Embedded starts a server in this process.
	URL string

	// Who the client is: at most one of a credentials file (a JWT and an nkey), an nkey seed file,
	// a User with a Password, and a Token. If URL is empty, fields that are empty are taken from
	// the environment variables of the nats command: NATS_CREDS, NATS_NKEY, NATS_USER,
	// NATS_PASSWORD, NATS_TOKEN, NATS_CA, NATS_CERT and NATS_KEY.
	Credentials string
	NKey        string
	User        string
	Password    string
	Token       string

	// CA, Cert and Key are files in PEM form for TLS. CA has the certificates of the authorities to
	// trust instead of the system's. Cert and Key are the client's certificate and its key; they
	// are read again for each connection.
	CA, Cert, Key string

	// Embedded starts a server in this process if there is no URL: embedded.Start, of the module
	// adapters/nats/embedded. Dir is where the server keeps its files; if Dir is empty, it keeps
	// everything in memory, and loses it when the process ends. Dir must be empty if there is a
	// URL.
	Embedded func(dir string) (Server, error)
	Dir      string

	// Options are passed to nats.Connect after all others.
	Options []nats.Option

	// Log gets what an operator should know: connections lost and restored, workers lost, dead
	// letters. Nil means slog.Default.
	Log *slog.Logger

	// Name is the first part of all subjects and the names of streams and buckets, so that several
	// applications can share a cluster: letters, digits, _ and -. Empty means "tasks".
	Name string

	// Replicas is how many servers of a cluster keep each message: 1, 3 or 5. Zero means 1.
	Replicas int

	// Groups are the tasks that share workers, by the name of the group. A task that is in no group
	// is in "default", or, if it needs slots, in a group of its own that has its name. A worker
	// takes a task of a group when it has room for any task of that group, so tasks with different
	// needs belong in different groups. Remove or rename a group only when its backlog is empty.
	Groups map[string][]string

	// Queue is how many calls may wait for a worker, in all groups together. Zero means 1024. Their
	// inputs take 64 MiB at most, without those above 256 KiB, which callers send when a worker has
	// taken the call. A call that has just got its worker counts until NATS has noted that.
	Queue int

	// Wait is how long a call may wait for a worker; no task begins after that. Zero means 2
	// seconds. Negative means no limit except the context's.
	Wait time.Duration

	// Timeout is how long a call may take, including its time in the queue: the contexts of the
	// call and of the task end then. Zero means no limit except those of the task and of the
	// caller's context. Negative is an error.
	Timeout time.Duration

	// RetryAfter is how long a client that was shed is asked to wait before it retries. Zero means
	// 1 second.
	RetryAfter time.Duration

	// Backlog is how many enqueued tasks there may be that are not done, and, separately, how many
	// dead letters; BacklogBytes how many bytes each of them, the results and the large inputs may
	// take. Zero means 100,000 and 1 GiB, or 64 MiB if the embedded server keeps them in memory.
	// NATS reserves the space five times, for each of the Replicas; Connect returns an error if a
	// server has less. While the results take that much, no enqueued task begins until some have
	// expired.
	Backlog      int
	BacklogBytes int64

	// Attempts is how often an enqueued task is begun before it becomes a dead letter. Zero means
	// 5.
	Attempts int

	// Backoff is the time between the first attempt of an enqueued task that failed, and the
	// second. It doubles with each further attempt, up to a minute. Zero means 1 second.
	Backoff time.Duration

	// AckWait is how long an enqueued task waits before it is begun again if its worker has
	// disappeared. A worker that lives reports three times in that period. If a worker needs more
	// than half of the period to get a task and to read its record, it leaves the task to others.
	// Zero means 30 seconds. Less than 1 second is an error.
	AckWait time.Duration

	// Keep is how long the result of an enqueued task is kept, and how long its key is remembered.
	// Zero means 24 hours. Less than 1 minute is an error.
	Keep time.Duration
}

// A Server is a NATS server in this process.
type Server interface {
	InProcessConn() (net.Conn, error)
	Close()
}

func (c Config) resolve() (Config, error) {
	c.fromEnvironment()
	c.Name = cmp.Or(c.Name, defaultName)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.Queue = cmp.Or(c.Queue, defaultQueue)
	c.Wait = cmp.Or(c.Wait, defaultWait)
	c.RetryAfter = cmp.Or(c.RetryAfter, defaultRetryAfter)
	c.Backlog = cmp.Or(c.Backlog, defaultBacklog)
	if c.BacklogBytes == 0 && c.storage() == jetstream.MemoryStorage {
		c.BacklogBytes = defaultMemory
	}
	c.BacklogBytes = cmp.Or(c.BacklogBytes, defaultBytes)
	c.Attempts = cmp.Or(c.Attempts, defaultAttempts)
	c.Backoff = cmp.Or(c.Backoff, defaultBackoff)
	c.AckWait = cmp.Or(c.AckWait, defaultAckWait)
	c.Keep = cmp.Or(c.Keep, defaultKeep)
	c.Log = cmp.Or(c.Log, slog.Default())
	if err := c.check(); err != nil {
		return c, err
	}
	return c, c.checkConnection()
}

// fromEnvironment sets what the environment says about the connection, if URL does not.
func (c *Config) fromEnvironment() {
	if c.URL != "" {
		return
	}
	if c.URL = os.Getenv("NATS_URL"); c.URL == "" {
		return
	}
	for name, field := range map[string]*string{
		"NATS_CREDS":    &c.Credentials,
		"NATS_NKEY":     &c.NKey,
		"NATS_USER":     &c.User,
		"NATS_PASSWORD": &c.Password,
		"NATS_TOKEN":    &c.Token,
		"NATS_CA":       &c.CA,
		"NATS_CERT":     &c.Cert,
		"NATS_KEY":      &c.Key,
	} {
		if *field == "" {
			*field = os.Getenv(name)
		}
	}
}

func (c *Config) check() error {
	switch {
	case !task.ValidName(c.Name):
		return fmt.Errorf("recyclingnats: Name is %q, want 1 to %d letters, digits, _ and -", c.Name, task.MaxName)
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return fmt.Errorf("recyclingnats: Replicas is %d, want 1, 3 or 5", c.Replicas)
	case c.Queue < 0:
		return fmt.Errorf("recyclingnats: Queue is %d, want zero (the default) or more", c.Queue)
	case c.Timeout < 0:
		return fmt.Errorf("recyclingnats: Timeout is %v, want zero (no limit) or more", c.Timeout)
	case c.RetryAfter < 0:
		return fmt.Errorf("recyclingnats: RetryAfter is %v, want zero (the default) or more", c.RetryAfter)
	case c.Backlog < 0:
		return fmt.Errorf("recyclingnats: Backlog is %d, want zero (the default) or more", c.Backlog)
	case c.BacklogBytes < 0:
		return fmt.Errorf("recyclingnats: BacklogBytes is %d, want zero (the default) or more", c.BacklogBytes)
	case c.Attempts < 0:
		return fmt.Errorf("recyclingnats: Attempts is %d, want zero (the default) or more", c.Attempts)
	case c.Backoff < 0:
		return fmt.Errorf("recyclingnats: Backoff is %v, want zero (the default) or more", c.Backoff)
	case c.AckWait < time.Second:
		return fmt.Errorf("recyclingnats: AckWait is %v, want zero (the default) or 1s or more", c.AckWait)
	case c.Keep < time.Minute:
		return fmt.Errorf("recyclingnats: Keep is %v, want zero (the default) or 1m or more", c.Keep)
	}
	in := map[string]string{}
	for group, tasks := range c.Groups {
		if !task.ValidName(group) {
			return fmt.Errorf("recyclingnats: Groups has %q, want 1 to %d letters, digits, _ and -", group, task.MaxName)
		}
		for _, t := range tasks {
			if other, ok := in[t]; ok {
				return fmt.Errorf("recyclingnats: Groups has the task %s in %s and in %s, want it in one", t, other, group)
			}
			in[t] = group
		}
	}
	return nil
}

func (c *Config) checkConnection() error {
	if c.URL == "" && c.Embedded == nil {
		return errors.New("recyclingnats: URL and NATS_URL are empty and Embedded is nil, want one of them")
	}
	if c.URL != "" && c.Dir != "" {
		return fmt.Errorf("recyclingnats: Dir is %q, want none, since it is for the embedded server, and URL is %q",
			c.Dir, redacted(c.URL))
	}
	identities := 0
	for _, s := range []string{c.Credentials, c.NKey, c.User, c.Token} {
		if s != "" {
			identities++
		}
	}
	switch {
	case identities > 1:
		return errors.New("recyclingnats: more than one of Credentials, NKey, User and Token is set")
	case c.Password != "" && c.User == "":
		return errors.New("recyclingnats: Password is set without User")
	case (c.Cert == "") != (c.Key == ""):
		return fmt.Errorf("recyclingnats: Cert is %q and Key is %q, want both or neither", c.Cert, c.Key)
	}
	for field, file := range map[string]string{
		"Credentials": c.Credentials, "NKey": c.NKey, "CA": c.CA, "Cert": c.Cert, "Key": c.Key,
	} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("recyclingnats: %s: %w", field, err)
		}
	}
	return nil
}

// options returns the options of nats.Connect for the identity and for TLS.
func (c *Config) options() ([]nats.Option, error) {
	var o []nats.Option
	switch {
	case c.Credentials != "":
		o = append(o, nats.UserCredentials(c.Credentials))
	case c.NKey != "":
		key, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("recyclingnats: NKey is %q: %w", c.NKey, err)
		}
		o = append(o, key)
	case c.User != "":
		o = append(o, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		o = append(o, nats.Token(c.Token))
	}
	if c.CA != "" {
		o = append(o, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
			return nil, fmt.Errorf("recyclingnats: Cert is %q and Key is %q: %w", c.Cert, c.Key, err)
		}
		o = append(o, nats.ClientCert(c.Cert, c.Key))
	}
	return o, nil
}
