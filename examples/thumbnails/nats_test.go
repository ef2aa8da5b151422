package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/examples/internal/progtest"
)

// enqueue uploads a picture for later, and returns its path.
func (p *process) enqueue(t *testing.T, picture []byte) string {
	t.Helper()
	a := p.post(t, "/thumbnail/later", picture)
	var s recyclingnats.Status
	if err := json.Unmarshal(a.body, &s); err != nil || a.StatusCode != http.StatusAccepted || a.Header.Get("Location") != "/later/"+s.ID {
		t.Fatalf("the answer is %v with Location %q, want 202 and an id", a, a.Header.Get("Location"))
	}
	return a.Header.Get("Location")
}

// await waits until a picture at a path has a state.
func (p *process) await(t *testing.T, path string, want recyclingnats.State) recyclingnats.Status {
	t.Helper()
	var s recyclingnats.Status
	eventually(t, path+" to be "+string(want), func() bool {
		a := request(t, "GET", p.base+path, nil)
		return a.StatusCode == http.StatusOK && json.Unmarshal(a.body, &s) == nil && s.State == want
	})
	return s
}

func (p *process) result(t *testing.T, path string) (small thumbnail) {
	t.Helper()
	a := request(t, "GET", p.base+path+"/result", nil)
	if err := json.Unmarshal(a.body, &small); err != nil || a.StatusCode != http.StatusOK || small.Width == 0 || len(small.Picture) == 0 {
		t.Fatalf("the result is %v, %v", a, err)
	}
	return small
}

func TestEnqueuedPicturesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	p := start(t, nil, "-place=nats", "-dir="+dir, "-workers=1")
	first := p.enqueue(t, encoded(t, painting(500, 500), "png"))
	p.await(t, first, recyclingnats.Done)
	paths := []string{first}
	for i := range 5 {
		paths = append(paths, p.enqueue(t, append(slow(), byte(i)))) // what follows the picture makes another key
	}
	if again := p.enqueue(t, append(slow(), 0)); again != paths[1] {
		t.Errorf("the same picture got %s and %s", paths[1], again)
	}
	if a := request(t, "GET", p.base+paths[5]+"/result", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("the result of a picture that waits is %v", a)
	}
	kill(t, p.Process.Pid)
	p.stop()

	p = start(t, nil, "-place=nats", "-dir="+dir, "-workers=1")
	for i, path := range paths {
		p.await(t, path, recyclingnats.Done)
		small := p.result(t, path)
		if own := small.PID == p.Process.Pid; i == 0 && own || i == len(paths)-1 && !own {
			t.Errorf("picture %d was made by %v; the application is process %d now", i, small.maker, p.Process.Pid)
		}
	}
}

func TestCorruptPictureIsADeadLetter(t *testing.T) {
	p := start(t, nil, "-place=nats")
	whole := encoded(t, painting(900, 900), "jpeg")
	path := p.enqueue(t, whole[:len(whole)/2])
	if s := p.await(t, path, recyclingnats.Dead); s.Attempt != 1 || !strings.Contains(s.Message, "JPEG") {
		t.Errorf("it is %+v, want given up after one attempt, with a message", s)
	}
	if a := request(t, "GET", p.admin+"/dead/", nil); !bytes.Contains(a.body, []byte(strings.TrimPrefix(path, "/later/"))) {
		t.Errorf("the dead letters are %v, want it among them", a)
	}
	if a := request(t, "GET", p.base+"/later/nonsense", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("an id that does not exist is %v", a)
	}
}

func TestBacklogIsADocumentForKEDA(t *testing.T) {
	p := start(t, nil, "-place=nats", "-workers=1")
	for i := range 3 {
		p.enqueue(t, append(slow(), byte(i)))
	}
	a := request(t, "GET", p.admin+"/backlog", nil)
	var d struct {
		Enqueued int
		Tasks    map[string]struct{ Enqueued int }
	}
	if err := json.Unmarshal(a.body, &d); err != nil || d.Enqueued < 1 || d.Tasks["shrink"].Enqueued != d.Enqueued || len(d.Tasks) != 2 {
		t.Errorf("the document is %v, %v, want what waits and runs", a, err)
	}
}

// TestWorkersOfOtherProcesses has what three machines would have: a NATS server with the web
// application, and two workers.
func TestWorkersOfOtherProcesses(t *testing.T) {
	s, err := embedded.StartOptions(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	env := []string{"NATS_URL=" + s.URL()}
	p := start(t, env, "-place=nats")
	admin := progtest.FreeAddr(t)
	one, _ := launch(t, working, env, "-workers=1", "-admin="+admin, "worker")
	one.admin = "http://" + admin
	two, _ := launch(t, working, env, "-workers=1", "worker")

	a, b := p.begin(t, slower()), p.begin(t, slower())
	if a.PID == b.PID || a.PID != one.Process.Pid && a.PID != two.Process.Pid || a.Place != inNATS {
		t.Errorf("two thumbnails are made by %v and %v, want one by each worker: %d and %d", a.maker, b.maker, one.Process.Pid, two.Process.Pid)
	}
	if g := one.group(t); g.Name != group || g.Running != 1 {
		t.Errorf("the group of the first worker is %+v, want one task", g)
	}
	checkEnd(t, a)
	checkEnd(t, b)

	// A worker that is told to end finishes what it has; the other one goes on.
	c := p.begin(t, slower())
	ends, stays := one, two
	if c.PID == two.Process.Pid {
		ends, stays = two, one
	}
	ends.Process.Signal(syscall.SIGTERM)
	checkEnd(t, c)
	ends.stop()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			got, err := try("POST", p.base+"/thumbnail", encoded(t, painting(600, 600), "jpeg"))
			if err != nil || got.StatusCode != http.StatusOK {
				t.Errorf("with one worker: %v, %v", got, err)
			}
		})
	}
	all.Wait()

	// What a killed worker had is made by another one.
	path := p.enqueue(t, slower())
	p.await(t, path, recyclingnats.Running)
	kill(t, stays.Process.Pid)
	stays.stop()
	three, _ := launch(t, working, env, "-workers=1", "worker")
	p.await(t, path, recyclingnats.Done)
	if small := p.result(t, path); small.PID != three.Process.Pid {
		t.Errorf("it was made by %v, want process %d", small.maker, three.Process.Pid)
	}
}

// checkEnd reads the rest of an answer.
func checkEnd(t *testing.T, u *uploading) {
	t.Helper()
	for {
		line, err := u.rest.ReadBytes('\n')
		var e event
		if err == nil {
			err = json.Unmarshal(line, &e)
		}
		if err != nil || e.Problem != "" {
			t.Fatalf("the answer ends with %.200q, %v", line, err)
		}
		if e.Thumbnail != nil {
			return
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, test := range []struct {
		env, args []string
		want      string
	}{
		{nil, []string{"-place=moon"}, `"moon"`},
		{[]string{placeVariable + "=moon"}, nil, `"moon"`},
		{nil, []string{"worker"}, "NATS_URL is empty"},
		{nil, []string{"dance"}, `["dance"]`},
		{nil, []string{"-workers=-1"}, "-workers is -1"},
		{nil, []string{"-queue=0"}, "-queue is 0"},
		{nil, []string{"-dir=x"}, `-dir is "x"`},
		{[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"-place=nats", "-dir=x"}, `-dir is "x"`},
		{[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"-place=nats", "-workers=2"}, "-workers is 2"},
	} {
		t.Setenv("NATS_URL", "")
		t.Setenv(placeVariable, "")
		for _, e := range test.env {
			name, value, _ := strings.Cut(e, "=")
			t.Setenv(name, value)
		}
		if _, err := parse(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %q: the error is %v, want %s in it", test.env, test.args, err, test.want)
		}
	}
}
