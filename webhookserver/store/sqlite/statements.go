package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// statements are those of the writer's that return no rows, in the driver's own
// form: some run for each message, and database/sql takes about as long to look
// at their parameters as the driver to pass them on. They belong to the writing
// goroutine.
type statements struct {
	conn *sql.Conn
	// compiled are by their text: all are constants, so there are not many.
	compiled map[string]driver.StmtExecContext
	// values are those of the statement that runs.
	values []driver.NamedValue
}

func newStatements(conn *sql.Conn) *statements {
	return &statements{conn: conn, compiled: map[string]driver.StmtExecContext{}}
}

// exec runs a statement.
func (s *statements) exec(ctx context.Context, query string, args []any) (result driver.Result, err error) {
	s.values = s.values[:0]
	for i, arg := range args {
		switch arg.(type) {
		case string, int64, []byte, nil:
		default:
			if arg, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
				return nil, fmt.Errorf("parameter %d: %w", i+1, err)
			}
		}
		s.values = append(s.values, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	err = s.conn.Raw(func(conn any) error {
		statement, err := s.compile(ctx, conn, query)
		if err == nil {
			result, err = statement.ExecContext(ctx, s.values)
		}
		return err
	})
	return result, err
}

func (s *statements) compile(ctx context.Context, conn any, query string) (driver.StmtExecContext, error) {
	if known := s.compiled[query]; known != nil {
		return known, nil
	}
	compiler, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("the driver does not compile statements")
	}
	compiled, err := compiler.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing a statement: %w", err)
	}
	statement, ok := compiled.(driver.StmtExecContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver's statements can't be run"), compiled.Close())
	}
	s.compiled[query] = statement
	return statement, nil
}

// close is for before the connection is closed.
func (s *statements) close() error {
	return s.conn.Raw(func(any) error {
		var errs []error
		for _, statement := range s.compiled {
			if compiled, ok := statement.(driver.Stmt); ok {
				errs = append(errs, compiled.Close())
			}
		}
		clear(s.compiled)
		return errors.Join(errs...)
	})
}
