-- +goose Up

-- Ids are compared byte by byte. The order of a language, which a database has by
-- default, takes several times as long, and it is that of a library: when this
-- changes, with the next release of the system, a unique index lets copies in.
DROP TRIGGER media_blob_gone ON media;
DROP TRIGGER outbox_blob_gone ON outbox;
ALTER TABLE messages
    ALTER COLUMN phone_number_id TYPE TEXT COLLATE "C",
    ALTER COLUMN wamid TYPE TEXT COLLATE "C",
    ALTER COLUMN target_wamid TYPE TEXT COLLATE "C";
ALTER TABLE conversations
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN phone TYPE TEXT COLLATE "C";
ALTER TABLE identities
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN bsuid TYPE TEXT COLLATE "C";
ALTER TABLE statuses
    ALTER COLUMN phone_number_id TYPE TEXT COLLATE "C",
    ALTER COLUMN wamid TYPE TEXT COLLATE "C",
    ALTER COLUMN status TYPE TEXT COLLATE "C",
    ALTER COLUMN participant TYPE TEXT COLLATE "C";
ALTER TABLE outbox
    ALTER COLUMN id TYPE TEXT COLLATE "C",
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN phone_number_id TYPE TEXT COLLATE "C",
    ALTER COLUMN blob_key TYPE TEXT COLLATE "C";
ALTER TABLE media
    ALTER COLUMN phone_number_id TYPE TEXT COLLATE "C",
    ALTER COLUMN wamid TYPE TEXT COLLATE "C",
    ALTER COLUMN blob_key TYPE TEXT COLLATE "C";
ALTER TABLE saved_contacts
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN phone TYPE TEXT COLLATE "C";
ALTER TABLE orders
    ALTER COLUMN id TYPE TEXT COLLATE "C",
    ALTER COLUMN line TYPE TEXT COLLATE "C";
ALTER TABLE tool_calls ALTER COLUMN id TYPE TEXT COLLATE "C";
ALTER TABLE usages
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN period TYPE TEXT COLLATE "C";
ALTER TABLE documents
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN url TYPE TEXT COLLATE "C";
ALTER TABLE document_bodies
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN url TYPE TEXT COLLATE "C";
ALTER TABLE line_blobs ALTER COLUMN line TYPE TEXT COLLATE "C";
ALTER TABLE line_traffic ALTER COLUMN line TYPE TEXT COLLATE "C";
ALTER TABLE parked_lines ALTER COLUMN line TYPE TEXT COLLATE "C";
ALTER TABLE test_messages
    ALTER COLUMN key TYPE TEXT COLLATE "C",
    ALTER COLUMN line TYPE TEXT COLLATE "C";
ALTER TABLE quarantine ALTER COLUMN app TYPE TEXT COLLATE "C";
ALTER TABLE quarantine_usage ALTER COLUMN app TYPE TEXT COLLATE "C";
ALTER TABLE security_events
    ALTER COLUMN kind TYPE TEXT COLLATE "C",
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN app TYPE TEXT COLLATE "C";
ALTER TABLE replicas ALTER COLUMN owner TYPE TEXT COLLATE "C";
ALTER TABLE received
    ALTER COLUMN line TYPE TEXT COLLATE "C",
    ALTER COLUMN owner TYPE TEXT COLLATE "C";
ALTER TABLE blob_garbage ALTER COLUMN key TYPE TEXT COLLATE "C";
CREATE TRIGGER media_blob_gone AFTER DELETE ON media FOR EACH ROW WHEN (OLD.blob_key <> '') EXECUTE FUNCTION note_blob_garbage();
CREATE TRIGGER outbox_blob_gone AFTER DELETE ON outbox FOR EACH ROW WHEN (OLD.blob_key <> '') EXECUTE FUNCTION note_blob_garbage();
