-- The audit database, version 1. docs/audit.md describes it.
CREATE TABLE links (          -- the chain: what proves the rest
  seq   INTEGER PRIMARY KEY,
  kind  INTEGER NOT NULL,     -- 0 log, 1 decision, 2 outcome, 3 event
  prev  BLOB NOT NULL,        -- hash of the link before, 32 zero bytes for the first
  bytes BLOB NOT NULL,        -- deterministic CBOR (RFC 8949 4.2)
  hash  BLOB NOT NULL         -- SHA-256(prev || bytes)
);
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL,  -- microseconds since 1970, UTC
  listener TEXT NOT NULL, route TEXT NOT NULL, principal TEXT NOT NULL, method TEXT NOT NULL, host TEXT NOT NULL,
  path TEXT NOT NULL, raw_target TEXT NOT NULL, effect TEXT NOT NULL, policy TEXT NOT NULL, rule TEXT NOT NULL,
  reason TEXT NOT NULL, errors TEXT NOT NULL, engine TEXT NOT NULL, policy_digest TEXT NOT NULL,
  cached INTEGER NOT NULL, eval_ns INTEGER NOT NULL, reads TEXT NOT NULL, would_deny TEXT NOT NULL
);
CREATE INDEX decisions_by_time ON decisions (time);
CREATE TABLE outcomes (
  seq INTEGER PRIMARY KEY, decision_seq INTEGER NOT NULL, status INTEGER NOT NULL, upstream TEXT NOT NULL,
  bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, duration_us INTEGER NOT NULL, result TEXT NOT NULL
);
CREATE INDEX outcomes_by_decision ON outcomes (decision_seq);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,
  count INTEGER NOT NULL
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
