package task

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// Status returns the HTTP status for an error of [Task.Do] or [Stream.Do], wherever the task ran:
//
//	503 Service Unavailable    the task was not run: the call was shed, no worker knows the task,
//	                           or the caller's context was canceled, so that probably nobody reads
//	                           the response
//	504 Gateway Timeout        a deadline has passed; the task may have run
//	502 Bad Gateway            the worker was lost; the task may have run
//	500 Internal Server Error  an [*Error], and all others
//
// If the error is an [*Error] and of is not nil, the status is what of returns, unless that is
// zero. Status returns 200 if err is nil.
func Status(err error, of func(*Error) int) int {
	var own *Error
	var shed *offload.ShedError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &own):
		if of != nil {
			if code := of(own); code != 0 {
				return code
			}
		}
		return http.StatusInternalServerError
	case errors.As(err, &shed), errors.Is(err, ErrUnknown), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, ErrLost):
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// Fail responds with the [Status] for err and a line of text, and with Retry-After if the call was
// shed, as [offload.Pool.Middleware] does. The text is that of the status, because the message of
// err may not be meant for clients. err must not be nil, and nothing may have been written to w,
// except by a Stream.
//
//	small, err := shrink.Do(r.Context(), place, large)
//	if err != nil {
//		task.Fail(w, err, nil)
//		return
//	}
//
// If err is that of a Stream of which w has got a part, the client must not mistake that part for
// the whole: Fail panics with [http.ErrAbortHandler], by which the server closes the connection or,
// with HTTP/2, resets the stream. Middleware that recovers from this panic, as gin.Recovery does,
// does not change that, because Fail also lets all further writes to w fail.
func Fail(w http.ResponseWriter, err error, of func(*Error) int) {
	var part *partError
	if errors.As(err, &part) {
		http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		panic(http.ErrAbortHandler)
	}
	var own *Error
	if !errors.As(err, &own) { // it may wrap the error of a task that this one has called
		if after := offload.RetryAfter(err); after != "" {
			w.Header().Set("Retry-After", after)
		}
	}
	code := Status(err, of)
	http.Error(w, fmt.Sprintf("%d %s", code, http.StatusText(code)), code)
}

// A partError is the error of a Stream whose Writer has got a part of the output.
type partError struct{ error }

func (e *partError) Unwrap() error { return e.error }
