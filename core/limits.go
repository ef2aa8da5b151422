package recycling

import "time"

// Limits bound what the clients of a [Server] may use. A limit of zero means the default, and a
// negative limit means none. In [Stats] the limits are those in effect: environment variables and
// defaults are applied, and -1 means no limit. They are all zero before the Server serves, and
// under [Goroutine].
type Limits struct {
	// MaxWorkers is the number of workers that may serve at the same time, for all listeners
	// together. Zero means RECYCLING_MAX_WORKERS, or 65,536 ([Fixed]: 256). A negative value means
	// no limit.
	//
	// Under [Recycling] no request waits while fewer than MaxWorkers are serving. The reserve
	// workers for HealthPath and the goroutines in a TLS handshake do not count, nor do handlers
	// that say that they wait: see MaxWaiting. While other connections wait, a connection with many
	// requests in a row gives up its worker after 32 requests or after 10 milliseconds.
	MaxWorkers int `json:"max_workers"`

	// MaxWaiting is the number of handlers that may wait without counting against MaxWorkers, for
	// all listeners together. A handler waits while it is inside offload.Waiting, or in another
	// function of package offload that says so, such as one that waits for a worker of an
	// offload.Pool. Further handlers that wait count against MaxWorkers. So there are never more
	// than MaxWorkers + MaxWaiting requests whose handler was called and has not returned, apart
	// from those of HTTP/2, of hijacked connections and for HealthPath. MaxWaiting applies to
	// [Recycling] only. Zero means 65,536; a negative value means no limit.
	MaxWaiting int `json:"max_waiting"`

	// MaxQueue is the number of connections that may wait for a worker while MaxWorkers are
	// serving, for all listeners together. Further connections get a 503 response: see Shed. Zero
	// means 65,536 ([Fixed]: the same as MaxWorkers); a negative value means no limit.
	MaxQueue int `json:"max_queue"`

	// QueueWait is how long a connection may wait for a worker before it gets a 503 response. The
	// response may come up to a quarter of QueueWait later. Zero means 10 seconds; a negative value
	// means no limit. [Fixed] has no such limit.
	QueueWait time.Duration `json:"queue_wait_ns"`

	// MaxConns is the number of connections that may be open. When it is reached and another
	// connection arrives, the server closes one to make room. It prefers, in this order, a
	// connection that has never sent a complete header or is in a TLS handshake, one that lingers
	// after its last response, one that is idle, and one that has sent part of a later header;
	// among connections of the same kind, it closes the one that has waited longest. If there is
	// none, see RefuseConns. The server makes room in the same way if the process has no descriptor
	// left for a new connection, whatever MaxConns is. It only closes connections that can park.
	//
	// Where the system limits the descriptors of a process, zero means all of them, less a share
	// for the application: a quarter, but at least 32 (or half, if there are fewer than 64), and at
	// most 1,024 (or a sixteenth, if there are more than 16,384). For example, the share is 32 of
	// 64 descriptors, 256 of 1,024, and 65,536 of 1,048,576. Elsewhere, zero means no limit. A
	// negative value means no limit.
	//
	// HTTP/2 connections count, with an exception that [Server.Listener] names, and are never
	// closed to make room. Hijacked and refused connections do not count. Shutdown serves all
	// connections that wait in the kernel's queue, even beyond MaxConns.
	MaxConns int `json:"max_conns"`

	// MaxConnsPerIP is the number of connections that may be open from one address; all addresses
	// of an IPv6 /64 network count as one. Further connections get a 503 response: see Shed. Zero
	// and negative values mean no limit, because behind a proxy all connections have the same
	// address, unless the proxy sends that of the client: see ProxyProtocol.
	MaxConnsPerIP int `json:"max_conns_per_ip"`

	// MaxRequestsPerConn is the number of requests that a connection may make, and MaxConnAge is
	// its maximum age. The response to the last request, or to the first one at that age, has
	// "Connection: close", so that clients reconnect, perhaps to another server. For each
	// connection both are reduced by up to a tenth at random, so that clients do not come back all
	// at once. Zero and negative values mean no limit.
	MaxRequestsPerConn int           `json:"max_requests_per_conn"`
	MaxConnAge         time.Duration `json:"max_conn_age_ns"`

	// BodyTimeout bounds how long a handler waits for a request body that makes no progress. In
	// each BodyTimeout that the handler spends in Read, it must receive a kilobyte or the rest of
	// the body. Otherwise Read returns [os.ErrDeadlineExceeded], and the connection is closed after
	// the response. ReadTimeout and read deadlines apply as well. Zero means 60 seconds, a negative
	// value means no limit.
	BodyTimeout time.Duration `json:"body_timeout_ns"`

	// AnswerTimeout bounds how long a write of the response waits for a client that reads nothing.
	// If the client reads nothing for AnswerTimeout, Write returns [os.ErrDeadlineExceeded] and the
	// connection is closed; this may happen up to one more AnswerTimeout later. A client that reads
	// slowly does not time out, nor does a handler that writes nothing. But over TLS, if the
	// connection does not park or the application has got it (see [Server.ServeTLS]), 16 kilobytes
	// must be written in that time. WriteTimeout and write deadlines apply as well. Zero means 60
	// seconds, a negative value means no limit.
	AnswerTimeout time.Duration `json:"answer_timeout_ns"`
}
