-- +goose Up

-- The hour in which the line last sent something; 0 if never.
ALTER TABLE line_traffic ADD COLUMN last_sent_hour INTEGER NOT NULL DEFAULT 0;
