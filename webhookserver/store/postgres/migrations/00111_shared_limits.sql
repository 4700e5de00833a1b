-- +goose Up

-- What the blobs of each line's messages take, in bytes: one line must not fill the
-- blob store. Triggers keep it, so that it is right whoever deletes a row.
CREATE TABLE line_blobs (
    line  TEXT   NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL
);
INSERT INTO line_blobs (line, bytes) SELECT line, sum(size) FROM media WHERE state = 'stored' GROUP BY line;
ALTER TABLE outbox ADD COLUMN blob_size BIGINT NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE FUNCTION count_media() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    more BIGINT := 0;
BEGIN
    IF OLD.state = 'stored' THEN
        more := -OLD.size;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.state = 'stored' THEN
        more := more + NEW.size;
    END IF;
    IF more <> 0 THEN
        INSERT INTO line_blobs (line, bytes) VALUES (OLD.line, more) ON CONFLICT (line) DO UPDATE SET bytes = line_blobs.bytes + more;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION count_outbox_blob() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO line_blobs (line, bytes) VALUES (NEW.line, NEW.blob_size) ON CONFLICT (line) DO UPDATE SET bytes = line_blobs.bytes + NEW.blob_size;
    ELSE
        UPDATE line_blobs SET bytes = bytes - OLD.blob_size WHERE line = OLD.line;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER media_blob_counted AFTER UPDATE OF state, size OR DELETE ON media FOR EACH ROW EXECUTE FUNCTION count_media();
CREATE TRIGGER outbox_blob_counted AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.blob_size > 0) EXECUTE FUNCTION count_outbox_blob();
CREATE TRIGGER outbox_blob_uncounted AFTER DELETE ON outbox FOR EACH ROW WHEN (OLD.blob_size > 0) EXECUTE FUNCTION count_outbox_blob();

-- What processes that don't send have received for each line; see store.Replicas.
CREATE TABLE received (
    owner   TEXT   NOT NULL CHECK (length(owner) BETWEEN 1 AND 256),
    line    TEXT   NOT NULL,
    total   BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (owner, line)
);
