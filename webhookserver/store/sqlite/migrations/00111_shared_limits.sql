-- +goose Up

-- What the blobs of each line's messages take, in bytes: one line must not fill the
-- blob store. Triggers keep it, so that it is right whoever deletes a row.
CREATE TABLE line_blobs (
    line  TEXT    NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO line_blobs (line, bytes) SELECT line, sum(size) FROM media WHERE state = 'stored' GROUP BY line;
ALTER TABLE outbox ADD COLUMN blob_size INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER media_blob_counted AFTER UPDATE OF state, size ON media WHEN NEW.state = 'stored' OR OLD.state = 'stored'
BEGIN
    INSERT INTO line_blobs (line, bytes)
    VALUES (NEW.line, iif(NEW.state = 'stored', NEW.size, 0) - iif(OLD.state = 'stored', OLD.size, 0))
    ON CONFLICT (line) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER media_blob_uncounted AFTER DELETE ON media WHEN OLD.state = 'stored'
BEGIN
    UPDATE line_blobs SET bytes = bytes - OLD.size WHERE line = OLD.line;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_blob_counted AFTER INSERT ON outbox WHEN NEW.blob_size > 0
BEGIN
    INSERT INTO line_blobs (line, bytes) VALUES (NEW.line, NEW.blob_size) ON CONFLICT (line) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_blob_uncounted AFTER DELETE ON outbox WHEN OLD.blob_size > 0
BEGIN
    UPDATE line_blobs SET bytes = bytes - OLD.blob_size WHERE line = OLD.line;
END;
-- +goose StatementEnd

-- What processes that don't send have received for each line; see store.Replicas.
CREATE TABLE received (
    owner   TEXT    NOT NULL CHECK (length(owner) BETWEEN 1 AND 256),
    line    TEXT    NOT NULL,
    total   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (owner, line)
) WITHOUT ROWID;
