-- Remembered results of conditions, version 1. Worth nothing but time: it may be deleted.
CREATE TABLE remembered (
  context BLOB NOT NULL,  -- SHA-256 over policy digest and program
  engine  TEXT NOT NULL,
  key     BLOB NOT NULL,  -- rule, what it read, the values
  value   BLOB NOT NULL,  -- what it gave, and what that cost
  proof   BLOB NOT NULL,  -- HMAC-SHA256 over all of them
  PRIMARY KEY (context, engine, key)
);
