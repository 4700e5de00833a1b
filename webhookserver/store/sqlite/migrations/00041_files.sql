-- +goose Up

-- How far the file of a message has come; see store.Files. The blob's key is
-- set before the blob is written, so that a row that goes leaves no blob behind.
ALTER TABLE media ADD COLUMN conversation_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN state TEXT NOT NULL DEFAULT 'skipped';
ALTER TABLE media ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN blob_key TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
CREATE INDEX media_pending ON media (received_at) WHERE state IN ('pending', 'fetching');
CREATE INDEX media_awaited ON media (conversation_id) WHERE state IN ('pending', 'fetching');

-- The blob of a message of ours, and the id that Meta gave to it.
ALTER TABLE outbox ADD COLUMN blob_key TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN media_id TEXT NOT NULL DEFAULT '';
CREATE INDEX media_blob ON media (blob_key) WHERE blob_key <> '';
CREATE INDEX outbox_blob ON outbox (blob_key) WHERE blob_key <> '';

-- Blobs that no row names; 0 means since a moment ago.
CREATE TABLE blob_garbage (
    key    TEXT    NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
);
CREATE INDEX blob_garbage_due ON blob_garbage (due_at);

-- Whoever deletes a row, be it retention or erasure, its blob goes as well.
-- +goose StatementBegin
CREATE TRIGGER media_blob_gone AFTER DELETE ON media WHEN OLD.blob_key <> ''
BEGIN
    INSERT INTO blob_garbage (key, due_at) VALUES (OLD.blob_key, 0) ON CONFLICT (key) DO UPDATE SET due_at = 0;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_blob_gone AFTER DELETE ON outbox WHEN OLD.blob_key <> ''
BEGIN
    INSERT INTO blob_garbage (key, due_at) VALUES (OLD.blob_key, 0) ON CONFLICT (key) DO UPDATE SET due_at = 0;
END;
-- +goose StatementEnd
