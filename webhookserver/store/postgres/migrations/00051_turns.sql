-- +goose Up

-- What a line has used in a month (2026-03) or a day (2026-03-01).
CREATE TABLE usages (
    line          TEXT    NOT NULL,
    period        TEXT    NOT NULL,
    conversations BIGINT NOT NULL DEFAULT 0,
    messages      BIGINT NOT NULL DEFAULT 0,
    billed        BIGINT NOT NULL DEFAULT 0,
    free          BIGINT NOT NULL DEFAULT 0,
    tokens        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (line, period)
);

-- The periods that a message was counted in, empty if it was not or is not any
-- more; priced once Meta has told its price.
ALTER TABLE outbox ADD COLUMN month TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN day TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN priced BIGINT NOT NULL DEFAULT 0;

-- Since when the conversation waits for a person; 0 if it does not.
ALTER TABLE conversations ADD COLUMN waiting_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX conversations_silent ON conversations (line) WHERE state = 'Waiting' OR person_at > resumed_at;

-- Until when the AI conversation lasts, the assistant's messages in the newest
-- hour, and what is remembered of older messages.
ALTER TABLE conversations ADD COLUMN ai_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rate_hour BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rate_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN summary_through BIGINT NOT NULL DEFAULT 0;

CREATE TABLE orders (
    sequence        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
    line            TEXT    NOT NULL,
    conversation_id BIGINT NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('draft', 'confirmed', 'cancelled', 'replaced')),
    items           BYTEA,
    total           TEXT    NOT NULL,
    note            TEXT    NOT NULL,
    created_at      BIGINT NOT NULL,
    decided_at      BIGINT NOT NULL DEFAULT 0,
    notice          TEXT    NOT NULL DEFAULT '' CHECK (notice IN ('', 'pending', 'sent', 'dead')),
    notice_at       BIGINT NOT NULL DEFAULT 0,
    notice_attempts BIGINT NOT NULL DEFAULT 0,
    notice_reason   TEXT    NOT NULL DEFAULT '',
    owner           TEXT    NOT NULL DEFAULT '',
    epoch           BIGINT NOT NULL DEFAULT 0,
    lease_until     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX orders_line ON orders (line, sequence);
CREATE INDEX orders_conversation ON orders (conversation_id);
CREATE INDEX orders_notice ON orders (notice_at) WHERE notice = 'pending';

-- The ledger of calls with side effects.
CREATE TABLE tool_calls (
    id              TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
    line            TEXT    NOT NULL,
    conversation_id BIGINT NOT NULL,
    turn            BIGINT NOT NULL,
    ordinal         BIGINT NOT NULL,
    tool            TEXT    NOT NULL,
    arguments       BYTEA,
    state           TEXT    NOT NULL CHECK (state IN ('proposed', 'open', 'done', 'failed', 'declined')),
    created_at      BIGINT NOT NULL
);
CREATE INDEX tool_calls_conversation ON tool_calls (conversation_id);
