-- What this node's index entries say (docs/protocol.md section 16): their content follows from it.
CREATE TABLE item_index (
    covers        INTEGER PRIMARY KEY,       -- the index entry's own leaf index
    postings      INTEGER NOT NULL,
    root_hash     BLOB NOT NULL              -- 32 bytes
) STRICT;

-- Where the postings of each run of level 0 begin; derived from entry.item_keys. Dense from 0.
CREATE TABLE item_run_start (
    run           INTEGER PRIMARY KEY,       -- postings run * 4096 and on
    leaf_index    INTEGER NOT NULL,          -- of the entry that the first of them is of
    key_offset    INTEGER NOT NULL           -- its place among that entry's item keys
) STRICT;
