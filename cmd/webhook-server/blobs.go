package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"

	"github.com/whatsapp-operator/whatsapp-operator/webhookserver/media"
)

// blobsTimeout bounds the first look at the blob store.
const blobsTimeout = 10 * time.Second

// openBlobs opens the blob store that --blobs names. Without it files lie beside a SQLite database; replicas on PostgreSQL share
// no directory, so they keep none.
func openBlobs(ctx context.Context, cfg config, log logr.Logger) (*media.Blobs, error) {
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
	// What can't be reached now may be later, and messages don't need it.
	checking, cancel := context.WithTimeout(ctx, blobsTimeout)
	defer cancel()
	if err := blobs.Check(checking); err != nil {
		log.Error(err, "The blob store of --blobs can't be reached: customers' files wait at Meta, for 7 days")
	}
	return blobs, nil
}
