-- +goose Up

-- Whoever looks through these tables holds the ids of rows while others delete and
-- add some: without AUTOINCREMENT the newest row's id is given again once it is gone,
-- and what was meant for that row is done to the next one.

CREATE TABLE statuses_once (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
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
INSERT INTO statuses_once (id, phone_number_id, wamid, status, participant, line, event_at, received_at, error_code, pricing, raw)
SELECT id, phone_number_id, wamid, status, participant, line, event_at, received_at, error_code, pricing, raw FROM statuses ORDER BY id;
DROP TABLE statuses;
ALTER TABLE statuses_once RENAME TO statuses;
CREATE UNIQUE INDEX statuses_key ON statuses (phone_number_id, wamid, status, participant);
CREATE INDEX statuses_failed ON statuses (received_at) WHERE status = 'failed';

CREATE TABLE raw_changes_once (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    digest          BLOB    NOT NULL UNIQUE,
    app             TEXT    NOT NULL,
    line            TEXT    NOT NULL,
    waba_id         TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    field           TEXT    NOT NULL CHECK (length(field) BETWEEN 1 AND 128),
    entry_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    pending         BOOLEAN NOT NULL DEFAULT FALSE,
    raw             BLOB
);
INSERT INTO raw_changes_once (id, digest, app, line, waba_id, phone_number_id, field, entry_at, received_at, pending, raw)
SELECT id, digest, app, line, waba_id, phone_number_id, field, entry_at, received_at, pending, raw FROM raw_changes ORDER BY id;
DROP TABLE raw_changes;
ALTER TABLE raw_changes_once RENAME TO raw_changes;
CREATE INDEX raw_changes_received ON raw_changes (received_at);
CREATE INDEX raw_changes_pending ON raw_changes (id) WHERE pending;

CREATE TABLE unclaimed_changes_once (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    digest          BLOB    NOT NULL UNIQUE,
    app             TEXT    NOT NULL,
    waba_id         TEXT    NOT NULL,
    phone_number_id TEXT    NOT NULL,
    field           TEXT    NOT NULL CHECK (length(field) BETWEEN 1 AND 128),
    entry_at        INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    raw             BLOB
);
INSERT INTO unclaimed_changes_once (id, digest, app, waba_id, phone_number_id, field, entry_at, received_at, raw)
SELECT id, digest, app, waba_id, phone_number_id, field, entry_at, received_at, raw FROM unclaimed_changes ORDER BY id;
DROP TABLE unclaimed_changes;
ALTER TABLE unclaimed_changes_once RENAME TO unclaimed_changes;
CREATE INDEX unclaimed_changes_received ON unclaimed_changes (received_at);

CREATE TABLE dead_letters_once (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT    NOT NULL,
    line        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    raw         BLOB
);
INSERT INTO dead_letters_once (id, app, line, kind, reason, received_at, raw)
SELECT id, app, line, kind, reason, received_at, raw FROM dead_letters ORDER BY id;
DROP TABLE dead_letters;
ALTER TABLE dead_letters_once RENAME TO dead_letters;
CREATE INDEX dead_letters_received ON dead_letters (received_at);

CREATE TABLE quarantine_once (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    app         TEXT    NOT NULL,
    signature   TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    body        BLOB,
    bytes       INTEGER NOT NULL,
    received_at INTEGER NOT NULL
);
INSERT INTO quarantine_once (id, app, signature, path, body, bytes, received_at)
SELECT id, app, signature, path, body, bytes, received_at FROM quarantine ORDER BY id;
DROP TABLE quarantine;
ALTER TABLE quarantine_once RENAME TO quarantine;
CREATE INDEX quarantine_app ON quarantine (app, id);
CREATE INDEX quarantine_received ON quarantine (received_at);
