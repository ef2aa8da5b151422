package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var errUnavailable = errors.New("503 Service Unavailable")

// connect returns n requests for path. Each has its own connection, which is already open. hangUp
// closes the connections, and is never nil.
func connect(ctx context.Context, addr, path string, n int) (requests []request, hangUp func(), err error) {
	clients := make([]*http.Client, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: patience}
		all.Go(func() { errs[i] = get(ctx, clients[i], "http://"+addr+"/yo") })
		requests = append(requests, func(ctx context.Context) error { return get(ctx, clients[i], "http://"+addr+path) })
	}
	all.Wait()
	return requests, func() {
		for _, c := range clients {
			c.CloseIdleConnections()
		}
	}, errors.Join(errs...)
}

// get sends a request and reads the whole response, so that the connection is kept. It returns an
// ordinary error for a response that is neither 200 nor 503 with Retry-After.
func get(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusServiceUnavailable:
		if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 16); err == nil {
			return &offload.ShedError{Reason: errUnavailable, RetryAfter: time.Duration(seconds) * time.Second}
		}
	}
	return fmt.Errorf("answer is %s with Retry-After %q", res.Status, res.Header.Get("Retry-After"))
}
