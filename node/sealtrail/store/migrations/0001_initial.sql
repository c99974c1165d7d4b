-- The whole state of a node, except its keys. Times are milliseconds (ms) or microseconds (us) since 1970 UTC.

-- What this database belongs to: written once at init, compared at every start.
CREATE TABLE identity (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    chain_id      INTEGER NOT NULL,
    genesis_hash  BLOB NOT NULL,
    registry      BLOB NOT NULL,
    member        BLOB NOT NULL,
    item_salt     BLOB NOT NULL              -- 32 bytes; its hash stands in the genesis entry
) STRICT;

-- The log: entry n is leaf n. Dense, append-only.
CREATE TABLE entry (
    leaf_index    INTEGER PRIMARY KEY,
    entry_id      BLOB NOT NULL,
    leaf          BLOB NOT NULL,             -- 191 bytes, docs/protocol.md section 5
    seed          BLOB,                      -- 32 bytes; NULL once erased
    refs          BLOB NOT NULL,             -- references, 33 bytes each, concatenated
    item_keys     BLOB NOT NULL              -- sorted item keys, 32 bytes each, concatenated
) STRICT;

-- An event's entry is found through event.entry_id; these are the others (the leaf's second byte is its kind).
CREATE UNIQUE INDEX entry_by_id ON entry (entry_id) WHERE substr(leaf, 2, 1) NOT IN (x'02', x'03', x'04');

-- Full 256-wide tiles of the tree's hashes; what is right of the last full tile comes from entry.leaf.
CREATE TABLE tile (
    level         INTEGER NOT NULL,
    tile_index    INTEGER NOT NULL,
    hashes        BLOB NOT NULL,             -- 256 * 32 bytes
    inner         BLOB NOT NULL,             -- 16 * 32 bytes: the nodes four levels above them
    PRIMARY KEY (level, tile_index)
) STRICT, WITHOUT ROWID;

-- Events that this node knows: its own (with leaf_index) and others'. rowid is the order of arrival.
CREATE TABLE event (
    event_row     INTEGER PRIMARY KEY,
    member        BLOB NOT NULL,             -- who recorded it (20 bytes)
    entry_id      BLOB NOT NULL UNIQUE,      -- the recording member's entry
    leaf_index    INTEGER,                   -- in this node's log; NULL for others' events
    media_type    TEXT NOT NULL,
    content       BLOB,                      -- as store/contents.py keeps it; NULL once erased
    content_hash  BLOB NOT NULL,
    event_hash    BLOB NOT NULL,             -- 32 bytes of the CBV 2.0 hash
    event_id      TEXT,                      -- as recorded; NULL for the event hash's ni URI
    is_declaration INTEGER NOT NULL,         -- carries an errorDeclaration
    hash_ambiguous TEXT,                     -- reason, if the standard leaves the event hash open
    event_type    TEXT NOT NULL,
    action        TEXT,
    biz_step      TEXT,
    disposition   TEXT,
    read_point    TEXT,
    biz_location  TEXT,
    event_time_us INTEGER NOT NULL,
    record_time_ms INTEGER NOT NULL,
    UNIQUE (member, content_hash)
) STRICT;
CREATE INDEX event_by_id ON event (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX event_by_hash ON event (event_hash);
CREATE INDEX event_by_time ON event (event_time_us);
CREATE INDEX event_by_record_time ON event (record_time_ms);
CREATE UNIQUE INDEX event_by_leaf ON event (leaf_index) WHERE leaf_index IS NOT NULL;

-- Canonical identifiers (Digital Link URIs) of the items that an event names, and in which place.
-- place: 'epc', 'class', 'parent', 'input', 'input_class', 'output', 'output_class', 'lot' (of a pack, from ILMD)
CREATE TABLE event_item (
    item          TEXT NOT NULL,
    event_row     INTEGER NOT NULL,
    place         TEXT NOT NULL,
    PRIMARY KEY (item, place, event_row)     -- place first: a lot is named beside each of its packs
) STRICT, WITHOUT ROWID;

-- Others' entries behind others' events: what makes them provable here.
CREATE TABLE foreign_entry (
    entry_id      BLOB PRIMARY KEY,
    member        BLOB NOT NULL,
    leaf          BLOB NOT NULL,
    seed          BLOB,
    refs          BLOB NOT NULL,
    item_keys     BLOB NOT NULL,
    item_salt     BLOB,
    leaf_index    INTEGER,                   -- in its member's log, once proven
    checkpoint_hash BLOB,                    -- the checkpoint that the proof leads to
    inclusion_proof BLOB,                    -- hashes, 32 bytes each, concatenated
    received_from BLOB NOT NULL,
    received_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Checkpoints, one's own (the anchoring outbox) and others'. Own ones go through state 0..3.
CREATE TABLE checkpoint (
    checkpoint_hash BLOB PRIMARY KEY,
    member        BLOB NOT NULL,
    tree_size     INTEGER NOT NULL,
    root_hash     BLOB NOT NULL,
    note          TEXT NOT NULL,             -- signed note
    sequence      INTEGER,                   -- the anchor's number, once it has one
    created_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoint_by_member ON checkpoint (member, tree_size);

-- Own anchors to be: one row a sequence number; the sender owns `state`.
CREATE TABLE anchor_outbox (
    sequence      INTEGER PRIMARY KEY,
    checkpoint_hash BLOB NOT NULL UNIQUE REFERENCES checkpoint (checkpoint_hash),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'submitted', 'included', 'final')),
    transaction_hash BLOB,
    raw_transaction BLOB,
    nonce         INTEGER,
    block_number  INTEGER,
    block_hash    BLOB,
    updated_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX anchor_outbox_unfinal ON anchor_outbox (sequence) WHERE state <> 'final';

-- What the chain says, followed by this node: every member's anchors and records.
CREATE TABLE chain_anchor (
    member        BLOB NOT NULL,
    sequence      INTEGER NOT NULL,
    checkpoint_hash BLOB NOT NULL,
    suspended     INTEGER NOT NULL,
    block_number  INTEGER NOT NULL,
    block_hash    BLOB NOT NULL,
    block_time    INTEGER NOT NULL,          -- Unix seconds
    transaction_hash BLOB NOT NULL,
    PRIMARY KEY (member, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX chain_anchor_by_checkpoint ON chain_anchor (checkpoint_hash);
CREATE INDEX chain_anchor_by_block ON chain_anchor (block_number);

CREATE TABLE chain_member (
    member        BLOB NOT NULL,
    version       INTEGER NOT NULL,
    block_number  INTEGER NOT NULL,
    block_hash    BLOB NOT NULL,
    record        BLOB NOT NULL,             -- abi.encode(IRegistry.Member)
    PRIMARY KEY (member, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE chain_cursor (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    final_block   INTEGER NOT NULL,          -- followed up to here, final
    final_hash    BLOB NOT NULL,
    checked_ms    INTEGER NOT NULL
) STRICT;

-- Capture jobs (EPCIS 2.0 section 12.6), finished when written: job and events share one transaction.
CREATE TABLE capture_job (
    job_row       INTEGER PRIMARY KEY,       -- order of arrival
    job_id        TEXT NOT NULL UNIQUE,
    created_ms    INTEGER NOT NULL,
    finished_ms   INTEGER NOT NULL,
    success       INTEGER NOT NULL,
    error_behaviour TEXT NOT NULL CHECK (error_behaviour IN ('rollback', 'proceed')),
    errors        TEXT NOT NULL,             -- JSON list of problem documents
    entry_ids     BLOB NOT NULL              -- what the job's receipts are for, 32 bytes each
) STRICT;

-- What is to be sent to other members' nodes; done once its peer has acknowledged it (delivered_ms).
CREATE TABLE delivery (
    delivery_id   INTEGER PRIMARY KEY,
    recipient     BLOB NOT NULL,             -- member
    entry_id      BLOB NOT NULL,             -- the shipping event's entry
    stage         TEXT NOT NULL CHECK (stage IN ('announced', 'anchored')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    next_ms       INTEGER NOT NULL,
    last_error    TEXT,
    delivered_ms  INTEGER,
    UNIQUE (recipient, entry_id, stage)
) STRICT;
CREATE INDEX delivery_due ON delivery (recipient, next_ms) WHERE delivered_ms IS NULL;

-- How far the events have been looked through for something to send.
CREATE TABLE delivery_cursor (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    event_row     INTEGER NOT NULL
) STRICT;

-- Which events were shown to which member, or may have been: who is to hear of their corrections.
CREATE TABLE disclosed (
    event_row     INTEGER NOT NULL,
    recipient     BLOB NOT NULL,             -- member
    PRIMARY KEY (event_row, recipient)
) STRICT, WITHOUT ROWID;

-- Nonces of peers' signed requests, so that none is taken twice.
CREATE TABLE peer_nonce (
    key_id        TEXT NOT NULL,
    nonce         TEXT NOT NULL,
    expires_ms    INTEGER NOT NULL,
    PRIMARY KEY (key_id, nonce)
) STRICT, WITHOUT ROWID;
