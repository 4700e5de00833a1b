-- +goose Up

-- The message that a reaction, an edit or a revocation is about. They are looked
-- up when that message is read, so the order in which they come does not matter.
ALTER TABLE messages ADD COLUMN target_wamid TEXT NOT NULL DEFAULT '';
CREATE INDEX messages_target ON messages (phone_number_id, target_wamid) WHERE target_wamid <> '';

-- The files of messages. A message that is replaced by a better copy keeps its
-- row, so it is found by the message's unique key.
CREATE TABLE media (
    phone_number_id TEXT    NOT NULL,
    wamid           TEXT    NOT NULL,
    line            TEXT    NOT NULL,
    media_id        TEXT    NOT NULL,
    mime_type       TEXT    NOT NULL,
    sha256          TEXT    NOT NULL,
    filename        TEXT    NOT NULL,
    voice           BOOLEAN NOT NULL,
    received_at     BIGINT  NOT NULL,
    PRIMARY KEY (phone_number_id, wamid)
);
CREATE INDEX media_received ON media (received_at);

-- Changes of which rows are made beside requests.
ALTER TABLE raw_changes ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX raw_changes_pending ON raw_changes (id) WHERE pending;

-- The customers as the business has saved them on its phone; without a name
-- those that it has removed.
CREATE TABLE saved_contacts (
    line        TEXT    NOT NULL,
    phone       TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    event_at    BIGINT  NOT NULL,
    received_at BIGINT  NOT NULL,
    PRIMARY KEY (line, phone)
);
CREATE INDEX saved_contacts_received ON saved_contacts (received_at);

-- The hour of the last copy from standby; 0 if never.
ALTER TABLE line_traffic ADD COLUMN last_standby_hour BIGINT  NOT NULL DEFAULT 0;
