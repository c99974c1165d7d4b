-- Who may seal the chain's blocks, as this node followed it from block 0.

-- How far: the chain's consensus, and the validators after the last block followed; NULL on a chain without seals.
CREATE TABLE validator_state (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    form          TEXT NOT NULL,             -- clique, qbft, ibft2, none
    epoch_blocks  INTEGER NOT NULL,
    state         BLOB,                      -- JSON, docs/protocol.md section 14.5
    check_hash    BLOB NOT NULL              -- SHA-256 of all of this and of every change
) STRICT;

-- Each change of the validators, the ones of block 0 first.
CREATE TABLE validator_change (
    first_block   INTEGER PRIMARY KEY,       -- the first block that they may seal
    block_number  INTEGER NOT NULL,          -- the block that showed it
    block_hash    BLOB NOT NULL,
    members       BLOB NOT NULL              -- addresses of 20 bytes, ascending
) STRICT;
