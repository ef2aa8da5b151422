package roll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A count is what the clients of one proxy have counted. Several goroutines may use it at once.
type count struct {
	mu         sync.Mutex // guards the following
	gets, post int        // requests with the right response
	failed     int
	why        map[string]int // how often requests failed, by method and reason
	log        string         // the end of the proxy's log, once the clients have ended
}

func (c *count) add(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		c.failed++
		if c.why == nil {
			c.why = make(map[string]int)
		}
		c.why[method+": "+err.Error()]++
	case method == http.MethodGet:
		c.gets++
	default:
		c.post++
	}
}

// reasons returns why requests failed, and how often.
func (c *count) reasons() string {
	var all []string
	for _, why := range slices.Sorted(maps.Keys(c.why)) {
		all = append(all, fmt.Sprintf("%s (%d)", why, c.why[why]))
	}
	return strings.Join(all, "; ")
}

// maxBody is how long the body of a POST request is at most.
const maxBody = 32 << 10

// run sends requests to addr until ctx ends, one after another with pauses in between. Some pauses
// are long, so that the proxy has idle connections to the servers.
func (c *count) run(ctx context.Context, addr string) {
	t := &http.Transport{}
	defer t.CloseIdleConnections()
	client := &http.Client{Transport: t, Timeout: 30 * time.Second}
	for n := 0; ctx.Err() == nil; n++ {
		method, body := http.MethodGet, []byte(nil)
		if n%2 == 1 {
			method, body = http.MethodPost, bytes.Repeat([]byte{byte('a' + n%26)}, rand.N(maxBody)+1)
		}
		c.add(method, ask(client, method, fmt.Sprintf("http://%s/?%d", addr, n), body))
		pause := rand.N(10 * time.Millisecond)
		if n%100 == 0 {
			pause = rand.N(time.Second)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// ask sends a request and checks its response.
func ask(client *http.Client, method, url string, body []byte) error {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil // the client must not repeat it
	res, err := client.Do(req)
	if u := (*neturl.Error)(nil); errors.As(err, &u) {
		return u.Err // without the URL, so that equal reasons are equal
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %s", res.Status)
	case string(got) != req.URL.RawQuery+string(body):
		return fmt.Errorf("the response has %d bytes, want %d", len(got), len(req.URL.RawQuery)+len(body))
	}
	return nil
}
