-- +goose Up

-- What goes first on a line: 0 a person's reply, 1 the assistant's, 2 the rest.
ALTER TABLE outbox ADD COLUMN urgency INTEGER NOT NULL DEFAULT 1;
UPDATE outbox SET urgency = CASE author WHEN 'person' THEN 0 WHEN 'assistant' THEN 1 ELSE 2 END WHERE state = 'pending';
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (line, urgency, sequence) WHERE state = 'pending';

-- Failures that Meta reports after it took a message can concern the whole line.
CREATE INDEX statuses_failed ON statuses (received_at) WHERE status = 'failed';
