-- +goose Up

-- Up to which message a conversation has lost its words, where its channel does not keep them.
ALTER TABLE conversations ADD COLUMN discarded_through BIGINT NOT NULL DEFAULT 0;
