-- The audit database, version 4 (those before were never released). docs/audit.md describes it to the byte.
CREATE TABLE blocks (         -- decisions and outcomes, in columns
  last      INTEGER PRIMARY KEY,  -- seq of the last record
  first     INTEGER NOT NULL,     -- and of the first
  decisions INTEGER NOT NULL,     -- how many
  time_min  INTEGER NOT NULL,     -- of its decisions, microseconds since 1970, UTC
  time_max  INTEGER NOT NULL,
  late      INTEGER NOT NULL,     -- the least seq of a decision, of an earlier block, that an outcome here belongs to; 0: none
  prev      BLOB NOT NULL,        -- hash of the record before the first
  hash      BLOB NOT NULL,        -- hash of the last record
  filter    BLOB NOT NULL,        -- what its decisions can be found by
  body      BLOB NOT NULL
);
CREATE TABLE tail (           -- the block that is open: what came with each commit
  last  INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL,        -- of its last record, then the seed of the block's salts
  bytes BLOB NOT NULL
);
CREATE TABLE rare (           -- the bytes of all other records
  seq   INTEGER PRIMARY KEY,
  kind  INTEGER NOT NULL,     -- 0 log, 3 event, 4 checkpoint, 5 heartbeat
  bytes BLOB NOT NULL         -- deterministic CBOR (RFC 8949 4.2)
);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,
  count INTEGER NOT NULL
);
CREATE TABLE event_callers (  -- what an event says of a caller
  seq INTEGER PRIMARY KEY,    -- of the event
  caller TEXT NOT NULL,       -- its SPIFFE ID, where it named one
  about TEXT NOT NULL,        -- what was wrong, and the address it came from
  salt BLOB NOT NULL          -- of the commitment; empty where both were erased
);
CREATE TABLE heartbeats (     -- of streams that go on for long
  seq INTEGER PRIMARY KEY, decision_seq INTEGER NOT NULL, time INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL
);
CREATE TABLE policies (       -- the source of each policy set, once
  digest TEXT PRIMARY KEY, last_seq INTEGER NOT NULL,  -- of the last event that names it
  document TEXT NOT NULL      -- JSON
) WITHOUT ROWID;
CREATE TABLE erased (         -- whose personal fields were erased, and by which event
  seq INTEGER PRIMARY KEY, event_seq INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
