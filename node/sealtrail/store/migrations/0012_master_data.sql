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

-- What follows from the bodies, to be looked up by. All identifiers are canonical.
CREATE TABLE version_child (
    version       INTEGER NOT NULL REFERENCES vocabulary_version (version),
    child         TEXT NOT NULL,
    PRIMARY KEY (version, child)
) STRICT, WITHOUT ROWID;

CREATE TABLE version_attribute (
    version       INTEGER NOT NULL REFERENCES vocabulary_version (version),
    name          TEXT NOT NULL,             -- written out; CBV's own begin with urn:epcglobal:cbv:mda:
    value         TEXT NOT NULL,             -- a text as it is, a number as its decimal text, an object as JSON
    PRIMARY KEY (version, name, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_attribute_by_name ON version_attribute (name, value);

-- The same with what they are about and when they hold: what queries join.
CREATE VIEW vocabulary_child AS
    SELECT v.id AS parent, c.child, v.vocabulary, v.valid_from_ms, v.valid_until_ms, v.version
    FROM vocabulary_version AS v JOIN version_child AS c USING (version);

CREATE VIEW vocabulary_attribute AS
    SELECT a.name, a.value, v.id, v.vocabulary, v.valid_from_ms, v.valid_until_ms, v.version
    FROM version_attribute AS a JOIN vocabulary_version AS v USING (version);
