-- The audit database, version 2 (1 was never released). docs/audit.md describes it.
CREATE TABLE links (          -- the chain: what proves the rest
  seq   INTEGER PRIMARY KEY,
  kind  INTEGER NOT NULL,     -- 0 log, 1 decision, 2 outcome, 3 event, 4 checkpoint, 5 heartbeat
  prev  BLOB NOT NULL,        -- hash of the link before, 32 zero bytes for the first of a log
  bytes BLOB NOT NULL,        -- deterministic CBOR (RFC 8949 4.2)
  hash  BLOB NOT NULL         -- SHA-256(prev || bytes)
);
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL,  -- microseconds since 1970, UTC
  listener TEXT NOT NULL, route TEXT NOT NULL, principal TEXT NOT NULL, method TEXT NOT NULL, host TEXT NOT NULL,
  path TEXT NOT NULL, raw_target TEXT NOT NULL, effect TEXT NOT NULL, policy TEXT NOT NULL, rule TEXT NOT NULL,
  reason TEXT NOT NULL, errors TEXT NOT NULL, engine TEXT NOT NULL, policy_digest TEXT NOT NULL,
  cached INTEGER NOT NULL, eval_ns INTEGER NOT NULL, reads TEXT NOT NULL, would_deny TEXT NOT NULL,
  protocol TEXT NOT NULL, source TEXT NOT NULL,
  salt BLOB NOT NULL          -- of the commitment to the personal fields; empty where they were erased
);
CREATE TABLE outcomes (
  decision_seq INTEGER PRIMARY KEY, seq INTEGER NOT NULL, status INTEGER NOT NULL, upstream TEXT NOT NULL,
  bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, duration_us INTEGER NOT NULL, result TEXT NOT NULL,
  shadow TEXT NOT NULL        -- what the policy in the shadow would have done otherwise
);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,
  count INTEGER NOT NULL
);
CREATE TABLE heartbeats (     -- of streams that go on for long, where durability is strict
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
CREATE TABLE blocks (         -- what each stretch of decisions may hold: how a query knows where not to look
  last INTEGER PRIMARY KEY, first INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,
  filter BLOB NOT NULL        -- empty: anything
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
