package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the database that the product embeds
)

// row is a message as the floor keeps it.
type row struct{ id, body []byte }

// rowsOf are the messages of a group, sorted: neighbours in an index are then inserted one after the other.
func rowsOf(group []*floorRequest) []row {
	var rows []row
	for _, q := range group {
		share := len(q.body) / max(1, len(q.ids))
		for i, id := range q.ids {
			rows = append(rows, row{id, q.body[i*share : (i+1)*share]})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.id, b.id) })
	return rows
}

// sqliteSettings give the floor the cache that the product has.
const sqliteSettings = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)"

// sqliteKeeper has one connection and one statement for life: the floor has to be as low as it can be.
type sqliteKeeper struct {
	db     *sql.DB
	conn   *sql.Conn
	insert *sql.Stmt
}

func newSQLiteKeeper(ctx context.Context, dir string) (_ *sqliteKeeper, err error) {
	k := &sqliteKeeper{}
	k.db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "floor.db")+sqliteSettings)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.db.Close())
		}
	}()
	if k.conn, err = k.db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err := k.conn.ExecContext(ctx, "CREATE TABLE inbox (id BLOB NOT NULL UNIQUE, body BLOB NOT NULL)"); err != nil {
		return nil, err
	}
	k.insert, err = k.conn.PrepareContext(ctx, "INSERT INTO inbox (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING")
	return k, err
}

func (k *sqliteKeeper) commit(ctx context.Context, group []*floorRequest) error {
	if _, err := k.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, r := range rowsOf(group) {
		if _, err := k.insert.ExecContext(ctx, r.id, r.body); err != nil {
			_, rollbackErr := k.conn.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, rollbackErr)
		}
	}
	_, err := k.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (k *sqliteKeeper) close(context.Context) error {
	return errors.Join(k.insert.Close(), k.conn.Close(), k.db.Close())
}

// postgresKeeper inserts each group with one statement, sorted, on one connection.
type postgresKeeper struct{ conn *pgx.Conn }

func newPostgresKeeper(ctx context.Context, dsn string) (*postgresKeeper, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE inbox (id bytea NOT NULL UNIQUE, body bytea NOT NULL)"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return &postgresKeeper{conn}, nil
}

func (k *postgresKeeper) commit(ctx context.Context, group []*floorRequest) error {
	rows := rowsOf(group)
	ids, bodies := make([][]byte, len(rows)), make([][]byte, len(rows))
	for i, r := range rows {
		ids[i], bodies[i] = r.id, r.body
	}
	_, err := k.conn.Exec(ctx, "INSERT INTO inbox SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING", ids, bodies)
	return err
}

func (k *postgresKeeper) close(ctx context.Context) error { return k.conn.Close(ctx) }
