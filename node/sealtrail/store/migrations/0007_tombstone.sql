-- What was erased for law: an event's content and seed are gone, its entry and item keys stay. docs/erasure.md
CREATE TABLE tombstone (
    entry_id      BLOB PRIMARY KEY,          -- the recording member's entry
    erased_ms     INTEGER NOT NULL,
    erased_by     TEXT NOT NULL,             -- whoever did it here, as they named themselves
    ground        TEXT NOT NULL,
    authority     TEXT,                      -- of the recorded order, if there was one
    reference     TEXT,
    ordered_on    TEXT                       -- YYYY-MM-DD
) STRICT, WITHOUT ROWID;
