-- +goose Up

-- Lines are served in turn: which of them have something due must be cheap to see.
DROP INDEX conversations_due;
CREATE INDEX conversations_due ON conversations (line, reply_due_at) WHERE reply_due_at > 0;

-- What an earlier message of the conversation keeps waiting is asked for each row that is looked at.
CREATE INDEX outbox_unfinished ON outbox (conversation_id, sequence) WHERE state IN ('pending', 'sending', 'unknown');
