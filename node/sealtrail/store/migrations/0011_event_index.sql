-- What events are found by beside their items: 64 bits of a hash over a field and one of its texts (epcis/query/index.py),
-- so that nothing of what was recorded can be read here.
CREATE TABLE event_term (
    term          INTEGER NOT NULL,
    event_row     INTEGER NOT NULL,
    PRIMARY KEY (term, event_row)
) STRICT, WITHOUT ROWID;

-- Numbers and times by which events are compared, and the values that they are ordered by; name is such a hash too.
CREATE TABLE event_value (
    name          INTEGER NOT NULL,
    value         ANY NOT NULL,              -- a number in its base unit; microseconds; what orders may be a text
    event_row     INTEGER NOT NULL,
    PRIMARY KEY (name, value, event_row)
) STRICT, WITHOUT ROWID;

-- What prefixes of extensions stand for in recorded events, for queries that use one without defining it.
CREATE TABLE extension_prefix (
    prefix        TEXT NOT NULL,
    namespace     TEXT NOT NULL,
    PRIMARY KEY (prefix, namespace)
) STRICT, WITHOUT ROWID;

-- Events recorded before these tables, up to `until`, are taken in after the start; done up to event_row.
CREATE TABLE event_index_gap (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    event_row     INTEGER NOT NULL,
    until         INTEGER NOT NULL
) STRICT;
INSERT INTO event_index_gap (id, event_row, until) SELECT 1, 0, coalesce(max(event_row), 0) FROM event;
