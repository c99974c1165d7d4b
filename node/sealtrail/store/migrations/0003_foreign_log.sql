-- What other members' logs were shown to be: one item salt each, the first that an entry of the log vouched for.
CREATE TABLE foreign_log (
    member        BLOB PRIMARY KEY,
    item_salt     BLOB NOT NULL              -- 32 bytes
) STRICT, WITHOUT ROWID;

INSERT INTO foreign_log (member, item_salt)
SELECT member, item_salt FROM foreign_entry WHERE item_salt IS NOT NULL AND length(item_keys) > 0
ORDER BY received_ms
ON CONFLICT DO NOTHING;

-- Another salt is not passed on; the keys that followed from it stay, and show what they showed.
UPDATE foreign_entry SET item_salt = NULL
WHERE item_salt IS NOT NULL
AND item_salt IS NOT (SELECT item_salt FROM foreign_log WHERE foreign_log.member = foreign_entry.member);
