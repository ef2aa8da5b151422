package connections

import "github.com/recycling-go/recycling/bench/internal/record"

// taskmaster is where the idea of this project was measured first.
const taskmaster = "Yokota Yuki, github.com/y2q-actionman/hunchentoot-recycling-taskmaster, benchmark-result-2025-12-26 " +
	"(SBCL 2.2.9, Core i7-1360P under WSL2, wrk -t 4 -c 100 -d 10)"

var published = []record.Published{
	{Source: taskmaster, What: "100 connections, close, 0 ms: Hunchentoot, and with recycled threads", Value: "4,163 and 12,831 req/s"},
	{Source: taskmaster, What: "100 connections, close, 1 ms: Hunchentoot, and with recycled threads", Value: "4,288 and 12,579 req/s"},
	{Source: taskmaster, What: "100 connections, keep, 0 ms: Hunchentoot, and with recycled threads", Value: "34,800 and 35,324 req/s"},
	{Source: taskmaster, What: "100 connections, keep, 1 ms: Hunchentoot, and with recycled threads", Value: "37,084 and 32,296 req/s"},
}
