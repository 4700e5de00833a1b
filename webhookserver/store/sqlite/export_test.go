package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// CheckThreads compares what the writer remembers of conversations with their
// rows, and returns of how many.
func (s *Store) CheckThreads(ctx context.Context) (n int, err error) {
	var wrong []error // not an error of the transaction, which would be the database's fault
	err = s.write(ctx, func(t *tx) error {
		for id, kept := range t.w.threads {
			var row *thread
			err := t.each(threadsByID, []any{fmt.Sprintf("[%d]", id)}, func(rows *sql.Rows) (err error) {
				row, err = scanThread(rows)
				return err
			})
			if err != nil {
				return err
			}
			if row == nil {
				row = &thread{}
			}
			if row.Thread != kept {
				wrong = append(wrong, fmt.Errorf("conversation %d is remembered as %+v, its row is %+v", id, kept, row.Thread))
			}
			n++
		}
		return nil
	})
	return n, errors.Join(append(wrong, err)...)
}
