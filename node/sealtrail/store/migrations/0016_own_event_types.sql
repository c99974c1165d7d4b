-- Which event types of others events have (store/known_values.py); those of the standard stand bare.
CREATE INDEX event_by_own_event_type ON event (event_type) WHERE instr(event_type, ':') > 0;
