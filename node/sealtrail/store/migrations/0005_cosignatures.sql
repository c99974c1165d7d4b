-- When a checkpoint was first submitted: from then on the log shows it, and the tiles that it needs.
ALTER TABLE anchor_outbox ADD COLUMN published_ms INTEGER;
UPDATE anchor_outbox SET published_ms = updated_ms WHERE state <> 'pending';

-- What witnesses said of this log's checkpoints, each verified before it was kept.
CREATE TABLE cosignature (
    checkpoint_hash BLOB NOT NULL,
    name          TEXT NOT NULL,             -- the witness's
    public_key    BLOB NOT NULL,             -- 32 bytes, Ed25519
    signed_at     INTEGER NOT NULL,          -- Unix seconds, the witness's clock
    tree_size     INTEGER NOT NULL,          -- the checkpoint's
    signature     BLOB NOT NULL,             -- 72 bytes: u64 time || Ed25519 signature
    PRIMARY KEY (checkpoint_hash, name, public_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX cosignature_by_witness ON cosignature (name, public_key, tree_size);

-- What this node, as a witness, last cosigned of each other member's log.
CREATE TABLE witnessed_log (
    member        BLOB PRIMARY KEY,
    tree_size     INTEGER NOT NULL,
    root_hash     BLOB NOT NULL,
    note          TEXT NOT NULL,             -- the checkpoint, signed by its log
    witnessed_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What logs did that they must not: proofs are kept for good, an omission until its entry is proven after all.
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
    promised_ms   INTEGER                    -- omitted: by when it was to be in an anchored checkpoint
) STRICT;
CREATE UNIQUE INDEX log_finding_once
    ON log_finding (code, member, coalesce(first_note, ''), coalesce(second_note, ''), coalesce(entry_id, x''));
