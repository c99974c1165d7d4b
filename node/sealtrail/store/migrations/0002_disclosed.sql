-- Which events were shown to which member, or may have been: who is to hear of their corrections.
CREATE TABLE disclosed (
    event_row     INTEGER NOT NULL,
    recipient     BLOB NOT NULL,             -- member
    PRIMARY KEY (event_row, recipient)
) STRICT, WITHOUT ROWID;
