package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
)

// openBlobs opens the blob store that --blobs names. Without it files lie beside a SQLite database; replicas on PostgreSQL share
// no directory, so they keep none.
func openBlobs(ctx context.Context, cfg config) (*media.Blobs, error) {
	location := cfg.blobs
	if location == "" {
		if cfg.store.kind != kindSQLite {
			return nil, nil //nolint:nilnil // "none" is an answer here
		}
		dir, err := filepath.Abs(filepath.Dir(cfg.store.path))
		if err != nil {
			return nil, fmt.Errorf("the directory of blobs: %w", err)
		}
		u := url.URL{Scheme: "file", Path: filepath.Join(dir, "blobs")}
		location = u.String()
	}
	blobs, err := media.OpenBlobs(ctx, location)
	if err != nil {
		return nil, fmt.Errorf("--blobs: %w", err)
	}
	return blobs, nil
}
