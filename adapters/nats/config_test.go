package recyclingnats

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

type noServer struct{}

func (noServer) InProcessConn() (net.Conn, error) { return nil, os.ErrClosed }
func (noServer) Close()                           {}

func start(string) (Server, error) { return noServer{}, nil }

func TestErrorsNameTheFieldAndTheValue(t *testing.T) {
	t.Setenv("NATS_URL", "")
	file := filepath.Join(t.TempDir(), "absent")
	for _, c := range []struct {
		config Config
		want   []string
	}{
		{Config{}, []string{"URL", "NATS_URL", "Embedded"}},
		{Config{Embedded: start, Name: "a.b"}, []string{"Name", `"a.b"`}},
		{Config{Embedded: start, Replicas: 2}, []string{"Replicas", "2"}},
		{Config{Embedded: start, Queue: -1}, []string{"Queue", "-1"}},
		{Config{Embedded: start, Timeout: -1}, []string{"Timeout", "-1ns"}},
		{Config{Embedded: start, RetryAfter: -1}, []string{"RetryAfter", "-1ns"}},
		{Config{Embedded: start, Backlog: -1}, []string{"Backlog", "-1"}},
		{Config{Embedded: start, BacklogBytes: -1}, []string{"BacklogBytes", "-1"}},
		{Config{Embedded: start, Attempts: -1}, []string{"Attempts", "-1"}},
		{Config{Embedded: start, Backoff: -1}, []string{"Backoff", "-1ns"}},
		{Config{Embedded: start, AckWait: time.Millisecond}, []string{"AckWait", "1ms"}},
		{Config{Embedded: start, Keep: time.Second}, []string{"Keep", "1s"}},
		{Config{Embedded: start, Groups: map[string][]string{"a b": nil}}, []string{"Groups", `"a b"`}},
		{Config{Embedded: start, Groups: map[string][]string{"a": {"x"}, "b": {"x"}}}, []string{"Groups", "x", "a", "b"}},
		{Config{URL: "nats://u:secret@h", Dir: "/d"}, []string{"Dir", "/d", "u:xxxxx@h"}},
		{Config{URL: "nats://h", User: "u", Token: "t"}, []string{"User", "Token"}},
		{Config{URL: "nats://h", Password: "p"}, []string{"Password", "User"}},
		{Config{URL: "nats://h", Cert: "c.pem"}, []string{"Cert", "c.pem", "Key"}},
		{Config{URL: "nats://h", Credentials: file}, []string{"Credentials", file}},
		{Config{URL: "nats://h", NKey: file}, []string{"NKey", file}},
		{Config{URL: "nats://h", CA: file}, []string{"CA", file}},
	} {
		_, err := Connect(t.Context(), c.config)
		if err == nil {
			t.Errorf("%+v: no error", c.config)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error is %q, want %q in it", err, want)
			}
		}
	}
}

func TestEnvironmentIsUsedWithItsURLOnly(t *testing.T) {
	t.Setenv("NATS_URL", "nats://environment")
	t.Setenv("NATS_USER", "me")
	t.Setenv("NATS_PASSWORD", "secret")
	c, err := Config{}.resolve()
	if err != nil || c.URL != "nats://environment" || c.User != "me" || c.Password != "secret" {
		t.Errorf("got %q, %q, %q, %v", c.URL, c.User, c.Password, err)
	}
	c, err = Config{URL: "nats://own"}.resolve()
	if err != nil || c.URL != "nats://own" || c.User != "" {
		t.Errorf("got %q, %q, %v; want no user of another server", c.URL, c.User, err)
	}
}

func TestGroupOfATask(t *testing.T) {
	c := Config{Groups: map[string][]string{"video": {"cut", "join"}}}
	for name, want := range map[string]string{"cut": "video", "other": "default"} {
		if g := c.group(name, task.Options{}); g != want {
			t.Errorf("%s is in %s, want %s", name, g, want)
		}
	}
	if g := c.group("train", task.Options{Slots: offload.Slots{"GPU": 1}}); g != "train" {
		t.Errorf("a task that needs slots is in %s, want its own group", g)
	}
	if g := c.group("join", task.Options{Slots: offload.Slots{"GPU": 1}}); g != "video" {
		t.Errorf("a task is in %s, want the group that it was given", g)
	}
}

func TestKeysHaveTheirOwnIDs(t *testing.T) {
	ids := map[string]bool{}
	for _, k := range [][2]string{{"a", "b"}, {"a", "c"}, {"ab", ""}, {"a", "bb"}, {"aa", "b"}} {
		id := keyID(k[0], k[1])
		if ids[id] || !task.ValidName(id) {
			t.Errorf("id %s of %v is not its own, or not valid", id, k)
		}
		ids[id] = true
	}
}

func TestBackoffDoublesUpToAMinute(t *testing.T) {
	for attempt, limit := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 50: time.Minute} {
		if d := backoff(time.Second, attempt); d < limit/2 || d > limit {
			t.Errorf("after attempt %d it is %v, want %v to %v", attempt, d, limit/2, limit)
		}
	}
}
