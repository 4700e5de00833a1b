package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
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
			if row.Thread != kept.Thread || row.reach != kept.reach {
				wrong = append(wrong, fmt.Errorf("conversation %d is remembered as %+v, its row is %+v", id, kept, *row))
			}
			n++
		}
		return nil
	})
	return n, errors.Join(append(wrong, err)...)
}

// CheckReach returns an error if a conversation does not know where one of its
// messages is.
func (s *Store) CheckReach(ctx context.Context) error {
	rows, err := s.reader.QueryContext(ctx, `
		SELECT m.id FROM messages m LEFT JOIN conversations c ON c.id = m.conversation_id
		WHERE m.conversation_id <> 0 AND (c.id IS NULL OR m.id NOT BETWEEN c.first_message_id AND c.last_message_id)`)
	if err != nil {
		return err
	}
	return drain(rows, func(rows *sql.Rows) error {
		var id int64
		return cmpErr(rows.Scan(&id), fmt.Errorf("no conversation leads to the message %d", id))
	})
}

// Scatter leaves a gap of more than a span of ids after every third message.
func (s *Store) Scatter(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		return t.exec0(`
			CREATE TRIGGER IF NOT EXISTS scatter AFTER INSERT ON messages WHEN NEW.conversation_id <> 0 AND NEW.id % 3 = 0
			BEGIN
			  INSERT INTO messages (id, phone_number_id, conversation_id, author, source, type, text, event_at, received_at)
			  VALUES (NEW.id + 20000, '', 0, '', 'outbox', '', '', 0, 0);
			END`)
	})
}

// parameter is one of a query.
var parameter = regexp.MustCompile(`\?(\d*)`)

// Plans calls see with each step of the plan of each statement that was run
// so far and is not known yet.
func (s *Store) Plans(ctx context.Context, known *sync.Map, see func(query, step string)) error {
	var queries []string
	note := func(query string) {
		if _, old := known.LoadOrStore(query, true); !old {
			queries = append(queries, query)
		}
	}
	s.queries.Range(func(query, _ any) bool {
		note(query.(string))
		return true
	})
	err := s.write(ctx, func(t *tx) error {
		for query := range t.w.queries {
			note(query)
		}
		for query := range t.w.statements.compiled {
			note(query)
		}
		return nil
	})
	for _, query := range queries {
		err = errors.Join(err, s.plan(ctx, query, func(step string) { see(query, step) }))
	}
	return err
}

// plan calls see with each step of a statement's plan.
func (s *Store) plan(ctx context.Context, query string, see func(step string)) error {
	n := 0
	for _, p := range parameter.FindAllStringSubmatch(query, -1) {
		if number, err := strconv.Atoi(p[1]); err == nil {
			n = max(n, number)
		} else {
			n++
		}
	}
	rows, err := s.reader.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, n)...)
	if err != nil {
		return fmt.Errorf("the plan of %s: %w", query, err)
	}
	return drain(rows, func(rows *sql.Rows) error {
		var id, parent, unused int
		var step string
		err := rows.Scan(&id, &parent, &unused, &step)
		see(step)
		return err
	})
}
