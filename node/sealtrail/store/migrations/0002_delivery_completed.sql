-- History that went along before the chain proved it is sent once more when it does.
CREATE TABLE delivery_of_three_stages (
    delivery_id   INTEGER PRIMARY KEY,
    recipient     BLOB NOT NULL,             -- member
    entry_id      BLOB NOT NULL,             -- the shipping event's entry
    stage         TEXT NOT NULL CHECK (stage IN ('announced', 'anchored', 'completed')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    next_ms       INTEGER NOT NULL,
    last_error    TEXT,
    delivered_ms  INTEGER,
    UNIQUE (recipient, entry_id, stage)
) STRICT;
INSERT INTO delivery_of_three_stages
    SELECT delivery_id, recipient, entry_id, stage, attempts, next_ms, last_error, delivered_ms FROM delivery;
DROP TABLE delivery;
ALTER TABLE delivery_of_three_stages RENAME TO delivery;
CREATE INDEX delivery_due ON delivery (recipient, next_ms) WHERE delivered_ms IS NULL;

-- Entries that a member was shown without the proof of their anchor; the delivery is the one that waits for it.
CREATE TABLE delivery_unproven (
    delivery_id   INTEGER NOT NULL,
    entry_id      BLOB NOT NULL,
    PRIMARY KEY (delivery_id, entry_id)
) STRICT, WITHOUT ROWID;
