-- +goose Up

-- What is known of who answers beside us, as instants that only grow: the last
-- message of a person of the business by other means, since when the assistant
-- has the thread (again), the newest handover to another responder, the newest
-- to us or to nobody, and the newest copy of what passed there.
ALTER TABLE conversations
    ADD COLUMN person_at  BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN resumed_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN other_at   BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN free_at    BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN standby_at BIGINT NOT NULL DEFAULT 0;
