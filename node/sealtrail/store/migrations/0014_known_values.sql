-- Which places, and which words of others than the standard, events name: collections are listed by jumping from value
-- to value (store/known_values.py). Standard words are known anyway, and stand bare.
CREATE INDEX event_by_read_point ON event (read_point) WHERE read_point IS NOT NULL;
CREATE INDEX event_by_biz_location ON event (biz_location) WHERE biz_location IS NOT NULL;
CREATE INDEX event_by_own_biz_step ON event (biz_step) WHERE instr(biz_step, ':') > 0;
CREATE INDEX event_by_own_disposition ON event (disposition) WHERE instr(disposition, ':') > 0;
