-- +goose Up

-- The highest id of a conversation that is gone. No other one may get it: who still
-- has the id at hand, such as a turn under way, would take that for the one it knew.
CREATE TABLE gone_conversations (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
);
INSERT INTO gone_conversations (id, last) VALUES (1, 0);
-- +goose StatementBegin
CREATE TRIGGER conversation_gone AFTER DELETE ON conversations
BEGIN
    UPDATE gone_conversations SET last = max(last, OLD.id) WHERE id = 1;
END;
-- +goose StatementEnd
