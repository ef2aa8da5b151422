package connections

import "github.com/recycling-go/recycling/bench/internal/record"

// taskmaster is the source of this project's idea and of the first measurements of it.
const taskmaster = "Yokota Yuki, github.com/y2q-actionman/hunchentoot-recycling-taskmaster, benchmark-result-2025-12-26 " +
	"(SBCL 2.2.9, Core i7-1360P under WSL2, wrk -t 4 -c 100 -d 10)"

var published = []record.Published{
	{Source: taskmaster, What: "new connection, answers at once, 100 at a time: a thread for each connection, and recycled threads", Value: "4,163 and 12,831 req/s"},
	{Source: taskmaster, What: "new connection, sleeps 1 ms, 100 at a time: a thread for each connection, and recycled threads", Value: "4,288 and 12,579 req/s"},
	{Source: taskmaster, What: "keep-alive, answers at once, 100 at a time: a thread for each connection, and recycled threads", Value: "34,800 and 35,324 req/s"},
	{Source: taskmaster, What: "keep-alive, sleeps 1 ms, 100 at a time: a thread for each connection, and recycled threads", Value: "37,084 and 32,296 req/s"},
}
