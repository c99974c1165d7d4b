-- Named queries (EPCIS 2.0 section 8.2.5), each as its client wrote it.
CREATE TABLE named_query (
    query_id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a page of a list goes on after it
    name          TEXT NOT NULL UNIQUE,
    definition    TEXT NOT NULL,             -- the JSON object of the query
    created_ms    INTEGER NOT NULL,
    digest        BLOB NOT NULL              -- SHA-256 over the other columns: what was asked for never changes
) STRICT;

-- Who is sent the events that a named query finds, and how far he was.
CREATE TABLE subscription (
    subscription_row INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription_id TEXT NOT NULL UNIQUE,    -- a UUID
    query_id      INTEGER NOT NULL REFERENCES named_query (query_id) ON DELETE CASCADE,
    dest          TEXT NOT NULL,
    signature_token TEXT,                    -- the consumer's secret
    controls      TEXT NOT NULL,             -- JSON: schedule or stream, and what else was asked for
    created_ms    INTEGER NOT NULL,
    created_row   INTEGER NOT NULL,          -- the last event at that time: initialRecordTime is of those up to it
    digest        BLOB NOT NULL,             -- SHA-256 over the columns before: they never change
    event_row     INTEGER NOT NULL,          -- what matches up to this row was delivered
    batch         INTEGER NOT NULL,          -- number of the next batch, from 1
    batch_row     INTEGER,                   -- the batch under way ends with this row; the same when sent again
    batch_ms      INTEGER,                   -- when that batch was made
    next_ms       INTEGER,                   -- of a schedule: when it runs next
    run_ms        INTEGER,                   -- when it ran last
    notified_ms   INTEGER,                   -- when the consumer last took something
    failing_ms    INTEGER,                   -- since when it takes nothing
    failure       TEXT,                      -- why not
    suspended_ms  INTEGER                    -- since when it isn't tried any more
) STRICT;
CREATE INDEX subscription_by_query ON subscription (query_id);
