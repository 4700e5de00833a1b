package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/postgres"
	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/store/sqlite"
)

// migrate brings the schema of a store up to date without serving, for those whose server may not change tables.
func migrate(ctx context.Context, args []string, out io.Writer) error {
	var f storeFlag
	fs := flag.NewFlagSet("webhook-server migrate", flag.ContinueOnError)
	fs.Var(&f, "store", "the store, as for the server (required)")
	dryRun := fs.Bool("dry-run", false, "only say what would be done")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case f.err != nil:
		return f.err
	case f.kind == "":
		return errors.New("--store is required, such as --store=postgres:/etc/whatsapp-store/dsn")
	}
	before, after, err := migrateStore(ctx, f, *dryRun)
	if err != nil {
		return err
	}
	did := "The schema was migrated from version %d to %d.\n"
	switch {
	case before == after:
		did = "The schema is up to date: version %d of %d.\n"
	case *dryRun:
		did = "The schema has version %d and would be migrated to %d.\n"
	}
	_, err = fmt.Fprintf(out, did, before, after)
	return err
}

func migrateStore(ctx context.Context, f storeFlag, dryRun bool) (before, after int64, err error) {
	if f.kind == kindSQLite {
		return sqlite.Migrate(ctx, f.path, dryRun)
	}
	dsn, err := readDSN(f.path)
	if err != nil {
		return 0, 0, err
	}
	return postgres.Migrate(ctx, dsn, dryRun)
}
