-- Version 3 of the audit database: what events say of callers stands apart, behind a commitment, and can be erased.
CREATE TABLE event_callers (
  seq INTEGER PRIMARY KEY,    -- of the event
  caller TEXT NOT NULL,       -- its SPIFFE ID, where it named one
  about TEXT NOT NULL,        -- what was wrong, and the address it came from
  salt BLOB NOT NULL          -- of the commitment; empty where both were erased
);
