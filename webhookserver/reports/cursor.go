package reports

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/whatsapp-operator/whatsapp-operator/internal/serverapi"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store"
)

// position is what a cursor holds: the id of a row, and its time to tell the rows of one store from another's with the same id.
type position struct {
	id     int64
	millis int64
}

func cursorOf(row *store.Report) serverapi.Cursor {
	return serverapi.Cursor(fmt.Sprintf("%d.%d", row.ID, row.Time.UnixMilli()))
}

func parse(c serverapi.Cursor) (position, bool) {
	id, millis, ok := strings.Cut(string(c), ".")
	if !ok {
		return position{}, false
	}
	var p position
	var err, terr error
	p.id, err = strconv.ParseInt(id, 10, 64)
	p.millis, terr = strconv.ParseInt(millis, 10, 64)
	return p, err == nil && terr == nil && p.id > 0
}

// rowsAfter returns the rows after a cursor. It reads the cursor's own row, too: if that is another than the cursor says, or nothing
// is there, the cursor is of another store, or so old that its row and all before it have expired; both are answered from the start.
func rowsAfter(ctx context.Context, from store.Reports, after serverapi.Cursor, limit int) ([]store.Report, error) {
	p, ok := parse(after)
	if !ok {
		return from.Reports(ctx, 0, limit)
	}
	rows, err := from.Reports(ctx, p.id-1, limit+1)
	if err != nil {
		return nil, err
	}
	switch {
	case len(rows) == 0, rows[0].ID == p.id && !rows[0].Time.Equal(time.UnixMilli(p.millis)):
		return from.Reports(ctx, 0, limit)
	case rows[0].ID == p.id:
		return rows[1:], nil
	default: // the cursor's row has expired
		return rows[:min(len(rows), limit)], nil
	}
}
