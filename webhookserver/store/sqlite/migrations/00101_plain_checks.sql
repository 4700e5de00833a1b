-- +goose Up

-- SQLite tests membership in a list of more than two by a temporary table, which
-- it makes and fills again for each row that is inserted. A constraint can't be
-- altered, so the table is made anew.
CREATE TABLE messages_plain (
    id              INTEGER PRIMARY KEY,
    phone_number_id TEXT    NOT NULL,
    wamid           TEXT             CHECK (wamid IS NULL OR length(wamid) BETWEEN 1 AND 512),
    conversation_id INTEGER NOT NULL,
    author          TEXT    NOT NULL,
    source          TEXT    NOT NULL CHECK (source = 'messages' OR source = 'outbox' OR source = 'echo' OR source = 'standby' OR source = 'history'),
    type            TEXT    NOT NULL,
    text            TEXT    NOT NULL,
    context_wamid   TEXT    NOT NULL DEFAULT '',
    target_wamid    TEXT    NOT NULL DEFAULT '',
    seq             INTEGER NOT NULL DEFAULT 0,
    event_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    status          TEXT    NOT NULL DEFAULT '',
    status_rank     INTEGER NOT NULL DEFAULT 0,
    outbox_id       TEXT    NOT NULL DEFAULT '',
    raw             BLOB
);
INSERT INTO messages_plain (id, phone_number_id, wamid, conversation_id, author, source, type, text, context_wamid, target_wamid,
                            seq, event_at, received_at, status, status_rank, outbox_id, raw)
SELECT id, phone_number_id, wamid, conversation_id, author, source, type, text, context_wamid, target_wamid,
       seq, event_at, received_at, status, status_rank, outbox_id, raw
FROM messages ORDER BY id;
DROP TABLE messages;
ALTER TABLE messages_plain RENAME TO messages;
CREATE UNIQUE INDEX messages_wamid ON messages (phone_number_id, wamid);
CREATE INDEX messages_conversation ON messages (conversation_id);
CREATE INDEX messages_target ON messages (phone_number_id, target_wamid) WHERE target_wamid <> '';
