-- +goose Up

-- What a line has used in a month (2026-03) or a day (2026-03-01).
CREATE TABLE usages (
    line          TEXT    NOT NULL,
    period        TEXT    NOT NULL,
    conversations INTEGER NOT NULL DEFAULT 0,
    messages      INTEGER NOT NULL DEFAULT 0,
    billed        INTEGER NOT NULL DEFAULT 0,
    free          INTEGER NOT NULL DEFAULT 0,
    tokens        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (line, period)
) WITHOUT ROWID;

-- The periods that a message was counted in, empty if it was not or is not any
-- more; priced once Meta has told its price.
ALTER TABLE outbox ADD COLUMN month TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN day TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN priced INTEGER NOT NULL DEFAULT 0;

-- Since when the conversation waits for a person; 0 if it does not.
ALTER TABLE conversations ADD COLUMN waiting_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversations_silent ON conversations (line) WHERE state = 'Waiting' OR person_at > resumed_at;

-- Until when the AI conversation lasts, the assistant's messages in the newest
-- hour, and what is remembered of older messages.
ALTER TABLE conversations ADD COLUMN ai_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rate_hour INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rate_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN summary_through INTEGER NOT NULL DEFAULT 0;

CREATE TABLE orders (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
    line            TEXT    NOT NULL,
    conversation_id INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('draft', 'confirmed', 'cancelled', 'replaced')),
    items           BLOB,
    total           TEXT    NOT NULL,
    note            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    decided_at      INTEGER NOT NULL DEFAULT 0,
    notice          TEXT    NOT NULL DEFAULT '' CHECK (notice IN ('', 'pending', 'sent', 'dead')),
    notice_at       INTEGER NOT NULL DEFAULT 0,
    notice_attempts INTEGER NOT NULL DEFAULT 0,
    notice_reason   TEXT    NOT NULL DEFAULT '',
    owner           TEXT    NOT NULL DEFAULT '',
    epoch           INTEGER NOT NULL DEFAULT 0,
    lease_until     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX orders_line ON orders (line, sequence);
CREATE INDEX orders_conversation ON orders (conversation_id);
CREATE INDEX orders_notice ON orders (notice_at) WHERE notice = 'pending';

-- The ledger of calls with side effects.
CREATE TABLE tool_calls (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    line            TEXT    NOT NULL,
    conversation_id INTEGER NOT NULL,
    turn            INTEGER NOT NULL,
    ordinal         INTEGER NOT NULL,
    tool            TEXT    NOT NULL,
    arguments       BLOB,
    state           TEXT    NOT NULL CHECK (state IN ('proposed', 'open', 'done', 'failed', 'declined')),
    created_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tool_calls_conversation ON tool_calls (conversation_id);
