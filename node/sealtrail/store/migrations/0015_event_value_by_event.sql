-- Whether an event's value is in a range that very many events' values are in: a look-up of that event's, not all of the range.
CREATE UNIQUE INDEX event_value_by_event ON event_value (event_row, name, value);
