-- +goose Up

-- What is to be fetched is found line by line, and of a line what may be fetched
-- first. A file that is being fetched is to be fetched again when its lease ends.
DROP INDEX media_pending;
ALTER TABLE media ALTER COLUMN line TYPE TEXT COLLATE "C";
UPDATE media SET not_before = lease_until WHERE state = 'fetching';
CREATE INDEX media_pending ON media (line, not_before, received_at) WHERE state IN ('pending', 'fetching');
CREATE INDEX media_fetching ON media (line, lease_until) WHERE state = 'fetching';
