package longrun

import (
	"context"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Load returns a row with the result of one client that requests url.
func Load(ctx context.Context, url string, d time.Duration) *record.Row {
	b := newBench(Quick(), nil)
	row := b.table.Row("any", "any")
	r := run(ctx, url, 1, d)
	b.keep(row, &r)
	return row
}

// Done is the response that counts as success.
const Done = done
