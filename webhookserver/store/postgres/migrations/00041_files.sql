-- +goose Up

-- How far the file of a message has come; see store.Files. The blob's key is
-- set before the blob is written, so that a row that goes leaves no blob behind.
ALTER TABLE media
    ADD COLUMN conversation_id BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN state       TEXT   NOT NULL DEFAULT 'skipped',
    ADD COLUMN reason      TEXT   NOT NULL DEFAULT '',
    ADD COLUMN blob_key    TEXT   NOT NULL DEFAULT '',
    ADD COLUMN size        BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN attempts    BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN not_before  BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN owner       TEXT   NOT NULL DEFAULT '',
    ADD COLUMN epoch       BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX media_pending ON media (received_at) WHERE state IN ('pending', 'fetching');
CREATE INDEX media_awaited ON media (conversation_id) WHERE state IN ('pending', 'fetching');

-- The blob of a message of ours, and the id that Meta gave to it.
ALTER TABLE outbox
    ADD COLUMN blob_key TEXT NOT NULL DEFAULT '',
    ADD COLUMN media_id TEXT NOT NULL DEFAULT '';
CREATE INDEX media_blob ON media (blob_key) WHERE blob_key <> '';
CREATE INDEX outbox_blob ON outbox (blob_key) WHERE blob_key <> '';

-- Blobs that no row names; 0 means since a moment ago.
CREATE TABLE blob_garbage (
    key    TEXT   NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL
);
CREATE INDEX blob_garbage_due ON blob_garbage (due_at);

-- Whoever deletes a row, be it retention or erasure, its blob goes as well.
-- +goose StatementBegin
CREATE FUNCTION note_blob_garbage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO blob_garbage (key, due_at) VALUES (OLD.blob_key, 0) ON CONFLICT (key) DO UPDATE SET due_at = 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER media_blob_gone AFTER DELETE ON media FOR EACH ROW WHEN (OLD.blob_key <> '') EXECUTE FUNCTION note_blob_garbage();
CREATE TRIGGER outbox_blob_gone AFTER DELETE ON outbox FOR EACH ROW WHEN (OLD.blob_key <> '') EXECUTE FUNCTION note_blob_garbage();
