-- When a checkpoint was first submitted: from then on the log shows it, and the tiles that it needs.
ALTER TABLE anchor_outbox ADD COLUMN published_ms INTEGER;
UPDATE anchor_outbox SET published_ms = updated_ms WHERE state <> 'pending';

-- Who cosigned this log, and up to which size.
CREATE TABLE witness (
    witness_id    INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    public_key    BLOB NOT NULL,             -- 32 bytes, Ed25519
    cosigned_size INTEGER NOT NULL,
    UNIQUE (name, public_key)
) STRICT;

-- What they said of its checkpoints, each verified before it was kept.
CREATE TABLE cosignature (
    checkpoint_hash BLOB NOT NULL,
    witness_id    INTEGER NOT NULL REFERENCES witness (witness_id),
    signature     BLOB NOT NULL,             -- 72 bytes: u64 time (Unix seconds) || Ed25519 signature
    PRIMARY KEY (checkpoint_hash, witness_id)
) STRICT, WITHOUT ROWID;

-- What this node, as a witness, last cosigned of each other member's log.
CREATE TABLE witnessed_log (
    member        BLOB PRIMARY KEY,
    tree_size     INTEGER NOT NULL,
    root_hash     BLOB NOT NULL,
    note          TEXT NOT NULL,             -- the checkpoint, signed by its log
    witnessed_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What logs did that they must not. Proofs are kept for good; an omission is settled once its entry is proven after all.
CREATE TABLE log_finding (
    finding_id    INTEGER PRIMARY KEY,
    code          TEXT NOT NULL,
    member        BLOB NOT NULL,             -- whose log
    found_ms      INTEGER NOT NULL,
    first_note    TEXT,                      -- log_forked, log_rewound: the two signed checkpoints
    second_note   TEXT,
    first_sequence INTEGER,                  -- log_rewound: their anchors' numbers
    second_sequence INTEGER,
    entry_id      BLOB,                      -- omitted
    promised_ms   INTEGER,                   -- omitted: by when it was to be in an anchored checkpoint
    settled_ms    INTEGER                    -- omitted: when it was found in one
) STRICT;
CREATE UNIQUE INDEX log_finding_once
    ON log_finding (code, member, coalesce(first_note, ''), coalesce(second_note, ''), coalesce(entry_id, x''));
CREATE INDEX log_finding_open ON log_finding (finding_id) WHERE code = 'omitted' AND settled_ms IS NULL;

-- Others' entries that were not proven to be anchored when they were last looked at, and are not overdue yet.
CREATE TABLE awaited_anchor (
    entry_id      BLOB PRIMARY KEY,
    member        BLOB NOT NULL,
    record_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX awaited_anchor_by_time ON awaited_anchor (record_time_ms);

-- How far the events, and the checkpoints, were looked through for the two tables above.
CREATE TABLE log_watch_cursor (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    event_row     INTEGER NOT NULL,
    checkpoint_row INTEGER NOT NULL,
    anchor_block  INTEGER NOT NULL
) STRICT;
INSERT INTO log_watch_cursor (id, event_row, checkpoint_row, anchor_block) VALUES (1, 0, 0, -1);
