-- Facts (invoice and what hangs on it, payment, allocation, source, observation, enrichment, conflict, journal) are only ever inserted.
-- `listing` is a standing: derived from the facts, and can be rebuilt from them.
-- Amounts are minor units, instants microseconds since 1970 in UTC, dates ISO text, decimals canonical text, nested values JSON text.
-- Every table that belongs to an account leads its keys with account_id, so that the schema can be distributed by account.

CREATE TABLE provider (
  provider_id BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  dialect TEXT NOT NULL,
  zone TEXT NOT NULL,
  currency TEXT NOT NULL,
  seller TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at_us BIGINT NOT NULL
);

-- What a provider counts. One statement takes ids and journal numbers together, last of all locks.
CREATE TABLE counter (
  provider_id BIGINT PRIMARY KEY,
  next_id BIGINT NOT NULL,
  next_wire_id BIGINT NOT NULL,
  journal_sequence BIGINT NOT NULL,
  journal_chain BLOB NOT NULL
);

CREATE TABLE series (
  provider_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  type_codes TEXT NOT NULL,
  method TEXT NOT NULL,
  template TEXT NOT NULL,
  next_number BIGINT NOT NULL CHECK (next_number > 0),
  last_date TEXT,
  reset TEXT NOT NULL,
  PRIMARY KEY (provider_id, name)
);

-- Where an operator moved a counter ahead: the only gaps that its numbers may have.
CREATE TABLE series_jump (
  provider_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  from_number BIGINT NOT NULL,
  to_number BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (provider_id, name, from_number)
);

-- Every number that a series has given out, over all accounts of the provider: none is ever given out again.
CREATE TABLE issued_number (
  provider_id BIGINT NOT NULL,
  series TEXT NOT NULL,
  number TEXT NOT NULL,
  PRIMARY KEY (provider_id, series, number)
);

-- The provider's names for its customers. Shared, so that `account` needs no unique constraint without account_id.
CREATE TABLE account_reference (
  provider_id BIGINT NOT NULL,
  reference TEXT NOT NULL,
  account_id BIGINT NOT NULL,
  PRIMARY KEY (provider_id, reference)
);

CREATE TABLE account (
  account_id BIGINT PRIMARY KEY,
  provider_id BIGINT NOT NULL,
  reference TEXT NOT NULL,
  buyer TEXT,
  first_ordinal BIGINT NOT NULL,
  last_ordinal BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  created_at_us BIGINT NOT NULL
);
CREATE INDEX account_provider ON account (provider_id);

-- Found by hash before any account is known; shared. A token of no account acts for the provider.
CREATE TABLE token (
  token_hash BLOB PRIMARY KEY,
  token_id BIGINT NOT NULL UNIQUE,
  provider_id BIGINT NOT NULL,
  account_id BIGINT,
  label TEXT NOT NULL,
  hint TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at_us BIGINT NOT NULL,
  expires_at_us BIGINT,
  revoked_at_us BIGINT,
  last_used_at_us BIGINT
);

CREATE TABLE invoice (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  wire_id BIGINT NOT NULL,
  -- The id that a source gave. `wire_id` is the same, unless a document of ours had that id already.
  source_wire_id BIGINT,
  origin TEXT NOT NULL CHECK (origin IN ('issued', 'recorded')),
  type_code BIGINT,
  source_type TEXT,
  series TEXT,
  series_sequence BIGINT,
  number TEXT NOT NULL,
  created_at_us BIGINT NOT NULL,
  issue_date TEXT NOT NULL,
  currency TEXT NOT NULL,
  price_basis TEXT,
  seller TEXT,
  buyer TEXT,
  due_date TEXT,
  tax_point_date TEXT,
  period_start TEXT,
  period_end TEXT,
  line_total_minor BIGINT,
  allowance_total_minor BIGINT,
  charge_total_minor BIGINT,
  total_without_vat_minor BIGINT,
  vat_total_minor BIGINT,
  total_with_vat_minor BIGINT,
  vat_rate TEXT,
  line_count BIGINT,
  breakdown_count BIGINT NOT NULL,
  preceding_number TEXT,
  preceding_issue_date TEXT,
  preceding_invoice_id BIGINT,
  order_ids TEXT,
  note TEXT,
  payment_terms TEXT,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, invoice_id),
  UNIQUE (account_id, wire_id),
  -- A recorded document has no series of ours, and NULLs are distinct: its source may repeat numbers.
  UNIQUE (account_id, series, number)
);
CREATE INDEX invoice_number ON invoice (account_id, number, invoice_id);
CREATE INDEX invoice_source_wire_id ON invoice (account_id, source_wire_id, invoice_id);
CREATE INDEX invoice_by_id ON invoice (invoice_id);
CREATE INDEX invoice_preceding ON invoice (account_id, preceding_invoice_id);

CREATE TABLE invoice_line (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  line_number BIGINT NOT NULL,
  name TEXT NOT NULL,
  quantity TEXT NOT NULL,
  unit_code TEXT NOT NULL,
  unit_price TEXT NOT NULL,
  line_total_minor BIGINT NOT NULL,
  net_amount_minor BIGINT,
  vat_category TEXT,
  vat_rate TEXT,
  item_id TEXT,
  period_start TEXT,
  period_end TEXT,
  order_id BIGINT,
  PRIMARY KEY (account_id, invoice_id, line_number)
);

-- line_number 0: of the whole document.
CREATE TABLE allowance_charge (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  line_number BIGINT NOT NULL,
  position BIGINT NOT NULL,
  is_charge BIGINT NOT NULL,
  amount_minor BIGINT NOT NULL,
  net_amount_minor BIGINT,
  reason TEXT NOT NULL,
  vat_category TEXT,
  vat_rate TEXT,
  PRIMARY KEY (account_id, invoice_id, line_number, position)
);

CREATE TABLE vat_breakdown (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  position BIGINT NOT NULL,
  category TEXT,
  rate TEXT NOT NULL,
  taxable_amount_minor BIGINT,
  tax_amount_minor BIGINT,
  exemption_reason TEXT,
  PRIMARY KEY (account_id, invoice_id, position)
);

CREATE TABLE payment (
  account_id BIGINT NOT NULL,
  payment_id BIGINT NOT NULL,
  amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  paid_on TEXT NOT NULL,
  reference TEXT,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, payment_id)
);

CREATE TABLE allocation (
  account_id BIGINT NOT NULL,
  allocation_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  payment_id BIGINT,
  credit_note_id BIGINT,
  amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
  allocated_on TEXT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, allocation_id),
  CHECK ((payment_id IS NULL) <> (credit_note_id IS NULL))
);
CREATE INDEX allocation_invoice ON allocation (account_id, invoice_id);
CREATE INDEX allocation_payment ON allocation (account_id, payment_id);
CREATE INDEX payment_reference ON payment (account_id, reference);
CREATE INDEX allocation_credit_note ON allocation (account_id, credit_note_id);

-- What a source said, as it said it.
CREATE TABLE source (
  account_id BIGINT NOT NULL,
  source_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  digest BLOB NOT NULL,
  body BLOB NOT NULL,
  seen_at_us BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, source_id),
  UNIQUE (account_id, invoice_id, digest, seen_at_us)
);

-- Paid and open amounts as a source showed them; the latest seen wins.
CREATE TABLE observation (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  source_id BIGINT NOT NULL,
  seen_at_us BIGINT NOT NULL,
  paid_minor BIGINT,
  due_minor BIGINT,
  settlements TEXT,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, invoice_id, source_id)
);

-- A term that was unknown and then said: laid over the invoice row when it is read.
CREATE TABLE enrichment (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  term TEXT NOT NULL,
  value TEXT NOT NULL,
  source_id BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, invoice_id, term)
);

-- A source that contradicts itself. Both versions are kept; the first stays in force.
CREATE TABLE conflict (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  source_id BIGINT NOT NULL,
  term TEXT NOT NULL,
  kept TEXT NOT NULL,
  heard TEXT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, invoice_id, source_id, term)
);

CREATE TABLE journal (
  provider_id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  actor TEXT NOT NULL,
  event TEXT NOT NULL,
  account_id BIGINT,
  subject_id BIGINT,
  digest BLOB NOT NULL,
  chain BLOB NOT NULL,
  PRIMARY KEY (provider_id, sequence)
);

-- ordinal is NULL for documents that the provider's API does not list. The short columns stand first: a page must not
-- walk through the long single forms.
CREATE TABLE listing (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  ordinal BIGINT,
  created_at_us BIGINT NOT NULL,
  wire_id BIGINT NOT NULL,
  number_folded TEXT NOT NULL,
  paid_minor BIGINT,
  due_minor BIGINT,
  dialect_version BIGINT NOT NULL,
  item BLOB NOT NULL,
  single BLOB,
  PRIMARY KEY (account_id, invoice_id),
  UNIQUE (account_id, ordinal)
);
CREATE INDEX listing_order ON listing (account_id, created_at_us, wire_id);
