-- +goose Up

-- The processes that send at present; see store.Replicas.
CREATE TABLE replicas (
    owner   TEXT    NOT NULL PRIMARY KEY CHECK (length(owner) BETWEEN 1 AND 256),
    seen_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What must not come back: keyed hashes of the ids of people, messages and
-- changes that were erased.
CREATE TABLE erasures (
    mark      BLOB    NOT NULL PRIMARY KEY,
    erased_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX erasures_at ON erasures (erased_at);

-- The key of those hashes. It goes with the last of them.
CREATE TABLE erasure_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
);
