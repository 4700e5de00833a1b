-- +goose Up

-- Whether a message that was counted is given back, because it is known not to be sent. A status can prove the
-- contrary; then it counts again where it was counted.
ALTER TABLE outbox ADD COLUMN given_back BOOLEAN NOT NULL DEFAULT FALSE;
