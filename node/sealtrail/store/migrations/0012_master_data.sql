-- Master data by versions: what was said of an identifier in a vocabulary, by whom, and since when it holds.
-- A version holds from valid_from_ms until before valid_until_ms, NULL: without an end; one that was overruled when it
-- came, or has been since, holds never (both are equal). Of one element at most one version holds at any time.
CREATE TABLE vocabulary_version (
    version       INTEGER PRIMARY KEY,       -- order of recording
    vocabulary    TEXT NOT NULL,             -- the vocabulary's type, a URI
    id            TEXT NOT NULL,             -- canonical identifier of the element
    valid_from_ms INTEGER NOT NULL,
    valid_until_ms INTEGER,
    recorded_ms   INTEGER NOT NULL,
    source        TEXT NOT NULL CHECK (source IN ('put', 'header')),
    member        BLOB NOT NULL,             -- who says so
    job_id        TEXT,                      -- the capture job whose document had it in its header
    body          TEXT NOT NULL,             -- the element as JSON
    digest        BLOB NOT NULL,             -- SHA-256 over all of these but version and valid_until_ms
    CHECK (valid_until_ms IS NULL OR valid_until_ms >= valid_from_ms)
) STRICT;
CREATE INDEX vocabulary_version_by_id ON vocabulary_version (id, vocabulary, valid_from_ms);
CREATE INDEX vocabulary_version_by_vocabulary ON vocabulary_version (vocabulary, id);

-- What follows from the bodies of versions that hold at some time, to be looked up by. All identifiers are canonical.
-- The key's columns stand first: integrity_check of SQLite 3.40 takes others' places for theirs.
CREATE TABLE vocabulary_child (
    parent        TEXT NOT NULL,
    child         TEXT NOT NULL,
    version       INTEGER NOT NULL REFERENCES vocabulary_version (version),
    vocabulary    TEXT NOT NULL,
    valid_from_ms INTEGER NOT NULL,
    valid_until_ms INTEGER,
    PRIMARY KEY (parent, child, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX vocabulary_child_by_version ON vocabulary_child (version);

CREATE TABLE vocabulary_attribute (
    name          TEXT NOT NULL,             -- written out; CBV's own begin with urn:epcglobal:cbv:mda:
    value         TEXT NOT NULL,             -- a text as it is, a number as its decimal text, an object as JSON
    id            TEXT NOT NULL,
    version       INTEGER NOT NULL REFERENCES vocabulary_version (version),
    vocabulary    TEXT NOT NULL,
    valid_from_ms INTEGER NOT NULL,
    valid_until_ms INTEGER,
    PRIMARY KEY (name, value, id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX vocabulary_attribute_by_version ON vocabulary_attribute (version);
