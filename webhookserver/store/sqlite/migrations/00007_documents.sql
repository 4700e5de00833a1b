-- +goose Up

-- Feeds and pages that channels name by URL: the last good copy, for all
-- replicas, and what came of the last attempt. Bodies lie in a table of their
-- own, so that the list of all documents reads none.
CREATE TABLE documents (
    line          TEXT    NOT NULL CHECK (length(line) BETWEEN 1 AND 256),
    url           TEXT    NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    etag          TEXT    NOT NULL DEFAULT '',
    last_modified TEXT    NOT NULL DEFAULT '',
    revision      TEXT    NOT NULL DEFAULT '',
    fetched_at    INTEGER NOT NULL DEFAULT 0,
    checked_at    INTEGER NOT NULL DEFAULT 0,
    due_at        INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    problem       TEXT    NOT NULL DEFAULT '',
    epoch         INTEGER NOT NULL DEFAULT 0,
    lease_until   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (line, url)
) WITHOUT ROWID;

CREATE TABLE document_bodies (
    line     TEXT    NOT NULL,
    url      TEXT    NOT NULL,
    revision TEXT    NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (line, url)
);
