-- What auditors said of the item index at this log's checkpoints, each verified before it was kept.
CREATE TABLE index_audit (
    checkpoint_hash BLOB NOT NULL,
    name          TEXT NOT NULL,
    public_key    BLOB NOT NULL,             -- 32 bytes, Ed25519
    signature     BLOB NOT NULL,             -- 72 bytes: u64 time (Unix seconds) || Ed25519 signature
    PRIMARY KEY (checkpoint_hash, name, public_key)
) STRICT, WITHOUT ROWID;

-- What this node, as an auditor, said last of each other member's index, and when that was delivered.
CREATE TABLE index_audited_log (
    member        BLOB PRIMARY KEY,
    checkpoint_hash BLOB NOT NULL,
    tree_size     INTEGER NOT NULL,
    name          TEXT NOT NULL,
    public_key    BLOB NOT NULL,
    signature     BLOB NOT NULL,
    delivered_ms  INTEGER
) STRICT, WITHOUT ROWID;

-- item_index_wrong: what the index entry at the checkpoint first_note would have to say.
ALTER TABLE log_finding ADD COLUMN recomputed TEXT;
