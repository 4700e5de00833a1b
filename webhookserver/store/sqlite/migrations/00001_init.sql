-- Instants are milliseconds since 1970 (UTC); 0 means none. Texts are never
-- null, so that rows scan into plain strings; messages.wamid is the exception,
-- since many rows may lack it under a unique index.

-- +goose Up

-- A conversation is the contact, the thread and the queue row in one: there is
-- exactly one per line and contact, and one update per message is the fewest.
CREATE TABLE conversations (
    id                  INTEGER PRIMARY KEY,
    line                TEXT    NOT NULL CHECK (length(line) BETWEEN 1 AND 256),
    phone_number_id     TEXT    NOT NULL CHECK (length(phone_number_id) BETWEEN 1 AND 64),
    bsuid               TEXT    NOT NULL DEFAULT '' CHECK (length(bsuid) <= 256),
    phone               TEXT    NOT NULL DEFAULT '' CHECK (length(phone) <= 64),
    phone_at            INTEGER NOT NULL DEFAULT 0,
    name                TEXT    NOT NULL DEFAULT '',
    username            TEXT    NOT NULL DEFAULT '',
    state               TEXT    NOT NULL DEFAULT 'Active' CHECK (state IN ('Active', 'Waiting')),
    waiting_reason      TEXT    NOT NULL DEFAULT '',
    skipped_reason      TEXT    NOT NULL DEFAULT '',
    last_seq            INTEGER NOT NULL DEFAULT 0,
    answered_seq        INTEGER NOT NULL DEFAULT 0,
    first_unanswered_id INTEGER NOT NULL DEFAULT 0,
    first_unanswered_at INTEGER NOT NULL DEFAULT 0,
    reply_due_at        INTEGER NOT NULL DEFAULT 0,
    retry_at            INTEGER NOT NULL DEFAULT 0,
    last_user_at        INTEGER NOT NULL DEFAULT 0,
    owner               TEXT    NOT NULL DEFAULT '',
    epoch               INTEGER NOT NULL DEFAULT 0,
    lease_until         INTEGER NOT NULL DEFAULT 0,
    attempts            INTEGER NOT NULL DEFAULT 0,
    superseded          INTEGER NOT NULL DEFAULT 0,
    pair_next_at        INTEGER NOT NULL DEFAULT 0,
    created_at          INTEGER NOT NULL,
    CHECK (bsuid <> '' OR phone <> '')
);
CREATE UNIQUE INDEX conversations_phone ON conversations (line, phone) WHERE phone <> '';
CREATE INDEX conversations_line ON conversations (line, id);
CREATE INDEX conversations_due ON conversations (reply_due_at) WHERE reply_due_at > 0;
CREATE INDEX conversations_leased ON conversations (line, lease_until) WHERE lease_until > 0;

-- Every BSUID that a contact has ever had: a change of BSUID is a permanent
-- union.
CREATE TABLE identities (
    line            TEXT    NOT NULL,
    bsuid           TEXT    NOT NULL,
    conversation_id INTEGER NOT NULL,
    PRIMARY KEY (line, bsuid)
) WITHOUT ROWID;
CREATE INDEX identities_conversation ON identities (conversation_id);

CREATE TABLE messages (
    id              INTEGER PRIMARY KEY,
    phone_number_id TEXT    NOT NULL,
    wamid           TEXT             CHECK (wamid IS NULL OR length(wamid) BETWEEN 1 AND 512),
    conversation_id INTEGER NOT NULL,
    author          TEXT    NOT NULL,
    source          TEXT    NOT NULL CHECK (source IN ('messages', 'standby', 'echo', 'history', 'outbox')),
    type            TEXT    NOT NULL,
    text            TEXT    NOT NULL,
    context_wamid   TEXT    NOT NULL DEFAULT '',
    seq             INTEGER NOT NULL DEFAULT 0,
    event_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    status          TEXT    NOT NULL DEFAULT '',
    status_rank     INTEGER NOT NULL DEFAULT 0,
    outbox_id       TEXT    NOT NULL DEFAULT '',
    raw             BLOB
);
CREATE UNIQUE INDEX messages_wamid ON messages (phone_number_id, wamid);
CREATE INDEX messages_conversation ON messages (conversation_id);

CREATE TABLE statuses (
    id              INTEGER PRIMARY KEY,
    phone_number_id TEXT    NOT NULL CHECK (length(phone_number_id) BETWEEN 1 AND 64),
    wamid           TEXT    NOT NULL CHECK (length(wamid) BETWEEN 1 AND 512),
    status          TEXT    NOT NULL CHECK (length(status) BETWEEN 1 AND 64),
    participant     TEXT    NOT NULL,
    line            TEXT    NOT NULL,
    event_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    error_code      INTEGER NOT NULL,
    pricing         BLOB,
    raw             BLOB
);
CREATE UNIQUE INDEX statuses_key ON statuses (phone_number_id, wamid, status, participant);

CREATE TABLE outbox (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    line            TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    conversation_id INTEGER NOT NULL,
    message_id      INTEGER NOT NULL,
    author          TEXT    NOT NULL,
    test_key        TEXT    NOT NULL DEFAULT '',
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'accepted', 'failed', 'unknown', 'unconfirmed')),
    state_at        INTEGER NOT NULL,
    reason          TEXT    NOT NULL DEFAULT '',
    error_code      INTEGER NOT NULL DEFAULT 0,
    answers_at      INTEGER NOT NULL DEFAULT 0,
    max_age         INTEGER NOT NULL DEFAULT 0,
    not_before      INTEGER NOT NULL DEFAULT 0,
    owner           TEXT    NOT NULL DEFAULT '',
    epoch           INTEGER NOT NULL DEFAULT 0,
    lease_until     INTEGER NOT NULL DEFAULT 0,
    sent_at         INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    resends         INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_pending ON outbox (sequence) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (line, lease_until) WHERE state = 'sending';
CREATE INDEX outbox_unknown ON outbox (state_at) WHERE state = 'unknown';
CREATE INDEX outbox_conversation ON outbox (conversation_id, sequence);
CREATE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_line ON outbox (line, sequence);
CREATE INDEX outbox_sent ON outbox (phone_number_id, sent_at);

CREATE TABLE parked_lines (
    line                TEXT    NOT NULL PRIMARY KEY,
    reason              TEXT    NOT NULL,
    credential_revision TEXT    NOT NULL,
    since               INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE test_messages (
    key             TEXT    NOT NULL PRIMARY KEY CHECK (length(key) > 0),
    line            TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    recipient       TEXT    NOT NULL,
    body            TEXT    NOT NULL,
    payload         BLOB,
    state           TEXT    NOT NULL,
    created_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX test_messages_waiting ON test_messages (line) WHERE state = 'Waiting';

CREATE TABLE raw_changes (
    id              INTEGER PRIMARY KEY,
    digest          BLOB    NOT NULL UNIQUE,
    app             TEXT    NOT NULL,
    line            TEXT    NOT NULL,
    waba_id         TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    field           TEXT    NOT NULL CHECK (length(field) BETWEEN 1 AND 128),
    entry_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    raw             BLOB
);
CREATE INDEX raw_changes_received ON raw_changes (received_at);

CREATE TABLE unclaimed_changes (
    id              INTEGER PRIMARY KEY,
    digest          BLOB    NOT NULL UNIQUE,
    app             TEXT    NOT NULL,
    waba_id         TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    field           TEXT    NOT NULL CHECK (length(field) BETWEEN 1 AND 128),
    entry_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    raw             BLOB
);
CREATE INDEX unclaimed_changes_received ON unclaimed_changes (received_at);

CREATE TABLE dead_letters (
    id          INTEGER PRIMARY KEY,
    app         TEXT    NOT NULL,
    line        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    raw         BLOB
);
CREATE INDEX dead_letters_received ON dead_letters (received_at);

CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,
    app         TEXT    NOT NULL,
    signature   TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    body        BLOB,
    bytes       INTEGER NOT NULL,
    received_at INTEGER NOT NULL
);
CREATE INDEX quarantine_app ON quarantine (app, id);
CREATE INDEX quarantine_received ON quarantine (received_at);
CREATE TABLE quarantine_usage (
    app   TEXT    NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE reports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    line        TEXT    NOT NULL,
    app         TEXT    NOT NULL,
    payload     BLOB
);
CREATE INDEX reports_received ON reports (received_at);

CREATE TABLE security_events (
    minute INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    line   TEXT    NOT NULL,
    app    TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (minute, kind, line, app)
) WITHOUT ROWID;

CREATE TABLE line_traffic (
    line      TEXT    NOT NULL PRIMARY KEY,
    first_at  INTEGER NOT NULL,
    last_hour INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
);
