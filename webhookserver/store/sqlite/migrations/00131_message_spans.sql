-- +goose Up

-- Between which ids a conversation's messages are, so that an index of spans of ids
-- leads to them: one of conversations alone is written to all over for each delivery.
ALTER TABLE conversations ADD COLUMN first_message_id INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE conversations ADD COLUMN last_message_id INTEGER NOT NULL DEFAULT 0;
UPDATE conversations SET
    first_message_id = coalesce((SELECT m.id FROM messages m WHERE m.conversation_id = conversations.id ORDER BY m.id LIMIT 1), first_message_id),
    last_message_id = coalesce((SELECT m.id FROM messages m WHERE m.conversation_id = conversations.id ORDER BY m.id DESC LIMIT 1), last_message_id);
DROP INDEX messages_conversation;
CREATE INDEX messages_span ON messages (id >> 14, conversation_id);
