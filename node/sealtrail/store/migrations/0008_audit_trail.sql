-- The audit trail: who did what, append-only.
CREATE TABLE audit_record (
    n             INTEGER PRIMARY KEY,       -- dense, from 0
    time_ms       INTEGER NOT NULL,          -- what the body says, for looking up
    body          BLOB NOT NULL,             -- docs/protocol.md section 17
    record_hash   BLOB NOT NULL              -- SHA-256 over the hash before and the body
) STRICT;
CREATE INDEX audit_record_by_time ON audit_record (time_ms);

CREATE TRIGGER audit_record_stays BEFORE UPDATE ON audit_record
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_record_is_kept BEFORE DELETE ON audit_record
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- How far the trail goes, so that a missing end shows; and the newest row of leaves below, as (block, record).
CREATE TABLE audit_head (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    count         INTEGER NOT NULL,
    record_hash   BLOB NOT NULL,
    leaf_block    INTEGER NOT NULL,
    leaf_record   INTEGER NOT NULL
) STRICT;
INSERT INTO audit_head VALUES (1, 0, zeroblob(32), -1, -1);

-- What records are found by: an entry's id or an item key (32 bytes), an operator's note (16 bytes), 'start'; or 256
-- neighbouring leaves of the own log (8 bytes, big-endian: the leaf index without its last byte). A row of leaves
-- stands for up to 256 records from its own on: captures come in the order of their leaves.
CREATE TABLE audit_subject (
    subject       BLOB NOT NULL,
    n             INTEGER NOT NULL,
    PRIMARY KEY (subject, n)
) STRICT, WITHOUT ROWID;

-- Digests of the trail, each the content of an entry of kind 8 in the own log.
CREATE TABLE audit_digest (
    leaf_index    INTEGER PRIMARY KEY,
    entry_id      BLOB NOT NULL UNIQUE,
    first         INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    content       BLOB NOT NULL
) STRICT;
CREATE INDEX audit_digest_by_first ON audit_digest (first, count);
CREATE TRIGGER audit_digest_stays BEFORE UPDATE ON audit_digest
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_digest_is_kept BEFORE DELETE ON audit_digest
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Who is behind a pseudonym. Outside of the trail: a row that is deleted makes its pseudonym mean nobody.
CREATE TABLE audit_name (
    pseudonym     TEXT PRIMARY KEY,          -- kind, colon, 32 random hex digits
    name          TEXT NOT NULL,
    created_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_name_by_name ON audit_name (name);

-- Refused input whose bytes are kept, where the configuration says so. Outside of the trail as well.
CREATE TABLE audit_input (
    digest        BLOB PRIMARY KEY,          -- SHA-256
    content       BLOB NOT NULL,
    kept_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_input_total (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    bytes         INTEGER NOT NULL
) STRICT;
INSERT INTO audit_input_total VALUES (1, 0);
