-- What the management API works with. None of these are facts: drafts change, runs make progress.

-- A document that has no number yet, as its user wrote it.
CREATE TABLE draft (
  account_id BIGINT NOT NULL,
  draft_id BIGINT NOT NULL,
  document TEXT NOT NULL,
  revision BIGINT NOT NULL,
  created_at_us BIGINT NOT NULL,
  updated_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, draft_id)
);
CREATE INDEX draft_by_id ON draft (draft_id);

-- The answer to a writing call, kept in the transaction of its effect. `status` is NULL only inside that transaction.
CREATE TABLE idempotency (
  provider_id BIGINT NOT NULL,
  idempotency_key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  status BIGINT,
  headers TEXT,
  body BLOB,
  created_at_us BIGINT NOT NULL,
  PRIMARY KEY (provider_id, idempotency_key)
);

CREATE TABLE billing_run (
  provider_id BIGINT NOT NULL,
  run_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  is_dry_run BIGINT NOT NULL,
  actor TEXT NOT NULL,
  item_count BIGINT NOT NULL,
  -- Who works on it, and until when others leave it alone.
  holder TEXT,
  leased_until_us BIGINT NOT NULL,
  created_at_us BIGINT NOT NULL,
  updated_at_us BIGINT NOT NULL,
  PRIMARY KEY (provider_id, run_id)
);

CREATE TABLE billing_run_item (
  provider_id BIGINT NOT NULL,
  run_id BIGINT NOT NULL,
  position BIGINT NOT NULL,
  body TEXT NOT NULL,
  outcome TEXT NOT NULL,
  invoice_id BIGINT,
  number TEXT,
  faults TEXT,
  PRIMARY KEY (provider_id, run_id, position)
);
CREATE INDEX billing_run_item_outcome ON billing_run_item (provider_id, run_id, outcome, position);
