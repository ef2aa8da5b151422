package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// places are the settings of this application on one machine.
var places = []string{inProcess, inChildren, inNATS}

func eachPlace(t *testing.T, test func(t *testing.T, place string)) {
	for _, place := range places {
		t.Run(place, func(t *testing.T) { test(t, place) })
	}
}

// slow returns a picture of many bytes, whose thumbnail takes a while.
var slow = sync.OnceValue(func() []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 2300, 1700))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return encoded(panics{}, m, "png")
})

// slower returns a picture with almost as many pixels as are allowed, so that a test can do
// something about its task before that ends.
var slower = sync.OnceValue(func() []byte { return encoded(panics{}, painting(8000, 3000), "png") })

// panics is a testing.TB without a test.
type panics struct{ testing.TB }

func (panics) Helper()           {}
func (panics) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestThumbnailsAreMadeInEachPlace(t *testing.T) {
	eachPlace(t, func(t *testing.T, place string) {
		p := start(t, []string{placeVariable + "=" + place})
		var all sync.WaitGroup
		for _, format := range []string{"jpeg", "png", "gif"} {
			for range 3 {
				all.Go(func() {
					picture := encoded(t, painting(1200, 800), format)
					a, err := try("POST", p.base+"/thumbnail", picture)
					if err != nil || a.StatusCode != http.StatusOK {
						t.Errorf("%s: %v, %v", format, a, err)
						return
					}
					c, got, err := image.DecodeConfig(bytes.NewReader(a.body))
					if err != nil || c.Width != 256 || c.Height != 171 || a.Header.Get("Content-Type") != "image/"+got {
						t.Errorf("%s became %s of %d × %d (%v)", format, got, c.Width, c.Height, err)
					}
					if by := a.Header.Get("X-Made-By"); !strings.HasPrefix(by, place+", process ") {
						t.Errorf("%s was made by %q, want place %s", format, by, place)
					}
				})
			}
		}
		all.Wait()
		small := checkEvents(t, bytes.NewReader(p.post(t, "/thumbnail/progress", encoded(t, painting(1500, 1500), "jpeg")).body))
		if own := small.PID == p.Process.Pid; small.Place != place || own == (place == inChildren) {
			t.Errorf("it was made by %v; the application is process %d", small.maker, p.Process.Pid)
		}
		if n := p.metric(t, `recycling_tasks_total{place="`+place+`",result="returned",task="shrink"}`); n != "9" {
			t.Errorf("%s tasks are counted, want 9", n)
		}
		if g := p.group(t); g.Name != group || len(g.Tasks) != 2 {
			t.Errorf("the group is %+v", g)
		}
	})
}

func TestWrongPicturesAreRefusedInEachPlace(t *testing.T) {
	eachPlace(t, func(t *testing.T, place string) {
		p := start(t, nil, "-place="+place)
		whole := encoded(t, painting(900, 900), "jpeg")
		corrupt := whole[:len(whole)/2]
		for _, test := range []struct {
			name    string
			picture []byte
			status  int
			text    string
		}{
			{"nothing", nil, http.StatusUnsupportedMediaType, "not a JPEG"},
			{"text", []byte("hello"), http.StatusUnsupportedMediaType, "not a JPEG"},
			{"too many bytes", append(whole, make([]byte, maxBytes)...), http.StatusRequestEntityTooLarge, "16 MiB"},
			{"too many pixels", hugePNG(60_000, 60_000), http.StatusRequestEntityTooLarge, "60000 × 60000"},
			{"corrupt", corrupt, http.StatusUnprocessableEntity, "JPEG"},
		} {
			a := p.post(t, "/thumbnail", test.picture)
			if a.StatusCode != test.status || !bytes.Contains(a.body, []byte(test.text)) {
				t.Errorf("%s: %v, want %d with %q", test.name, a, test.status, test.text)
			}
		}
		var last event
		for line := range bytes.Lines(p.post(t, "/thumbnail/progress", corrupt).body) {
			last = event{}
			if err := json.Unmarshal(line, &last); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(last.Problem, "JPEG") {
			t.Errorf("the last event of a corrupt picture is %+v, want the problem", last)
		}
		if a := p.post(t, "/thumbnail", whole); a.StatusCode != http.StatusOK {
			t.Errorf("after that: %v", a)
		}
	})
}

// An uploading is an upload of which the first event has been read.
type uploading struct {
	maker
	rest  *bufio.Reader
	leave func()
}

// begin begins an upload, and returns when its task runs.
func (p *process) begin(t *testing.T, picture []byte) *uploading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", p.base+"/thumbnail/progress", bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	u := &uploading{rest: bufio.NewReader(resp.Body), leave: cancel}
	line, err := u.rest.ReadBytes('\n')
	var e event
	if err == nil {
		err = json.Unmarshal(line, &e)
	}
	if err != nil || e.Maker == nil {
		t.Fatalf("the first event is %q, %v", line, err)
	}
	u.maker = *e.Maker
	return u
}

func TestTaskEndsWithItsClientInEachPlace(t *testing.T) {
	eachPlace(t, func(t *testing.T, place string) {
		p := start(t, nil, "-place="+place, "-workers=1")
		p.begin(t, slower()).leave()
		eventually(t, "the task to end", func() bool {
			return p.metric(t, `recycling_tasks_total{place="`+place+`",result="left",task="follow"}`) == "1" && p.group(t).Running == 0
		})
		if a := p.post(t, "/thumbnail", encoded(t, painting(300, 300), "png")); a.StatusCode != http.StatusOK {
			t.Errorf("after that: %v", a)
		}
	})
}

func TestTooManyUploadsAreRefusedInEachPlace(t *testing.T) {
	eachPlace(t, func(t *testing.T, place string) {
		p := start(t, nil, "-place="+place, "-workers=1", "-queue=1")
		var all sync.WaitGroup
		var made, refused atomic.Int32
		for range 12 {
			all.Go(func() {
				a, err := try("POST", p.base+"/thumbnail", slow())
				switch {
				case err == nil && a.StatusCode == http.StatusOK:
					made.Add(1)
				case err == nil && a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("%v, %v", a, err)
				}
			})
		}
		all.Wait()
		if made.Load() == 0 || refused.Load() == 0 {
			t.Errorf("%d were made and %d refused, want some of each", made.Load(), refused.Load())
		}
	})
}

// kill is kill -9.
func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledChildCostsOneUpload kills a child with a task whose client has got a part of the answer
// already, so that the task cannot be run again.
func TestKilledChildCostsOneUpload(t *testing.T) {
	p := start(t, nil, "-place=children", "-workers=2")
	other := p.begin(t, slower())
	u := p.begin(t, slower())
	if other.PID == u.PID {
		t.Fatal("both are made by one child")
	}
	kill(t, u.PID)
	if rest, err := io.ReadAll(u.rest); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the answer goes on with %.200q, %v, want it cut off", rest, err)
	}
	if rest, err := io.ReadAll(other.rest); err != nil || !bytes.Contains(rest, []byte("thumbnail")) {
		t.Errorf("the other answer goes on with %.200q, %v", rest, err)
	}
	if n := p.metric(t, `recycling_tasks_total{place="children",result="lost",task="follow"}`); n != "1" {
		t.Errorf("%s tasks were lost, want 1", n)
	}
	for range 4 {
		if by := p.begin(t, encoded(t, painting(300, 300), "png")); by.PID == u.PID {
			t.Errorf("it was made by %v, which was killed", by)
		}
	}
}

// TestKilledChildCostsNoUploadThatWaits kills a child with a task that has written nothing yet: it
// runs again in another one.
func TestKilledChildCostsNoUploadThatWaits(t *testing.T) {
	p := start(t, nil, "-place=children", "-workers=1")
	u := p.begin(t, slower())
	u.leave()
	eventually(t, "the task to end", func() bool { return p.group(t).Running == 0 })
	answers := make(chan answer, 1)
	go func() {
		a, err := try("POST", p.base+"/thumbnail", slower())
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}()
	eventually(t, "the next task", func() bool { return p.group(t).Running == 1 })
	kill(t, u.PID)
	if a := <-answers; a.Response == nil || a.StatusCode != http.StatusOK {
		t.Errorf("the answer is %v, want a thumbnail", a)
	}
	if n := p.metric(t, `recycling_task_retries_total{place="children",task="shrink"}`); n != "1" {
		t.Errorf("%s tasks ran again, want 1", n)
	}
}
