-- The country whose VAT a document charges: the place of supply. Documents of older releases do not say it.
ALTER TABLE invoice ADD COLUMN tax_country TEXT;

-- Up to which day a provider's books are closed: nothing is issued with a date or tax point up to it. Only ever inserted, and only ever later.
CREATE TABLE period_lock (
  provider_id BIGINT NOT NULL,
  lock_id BIGINT NOT NULL,
  locked_through TEXT NOT NULL,
  actor TEXT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (provider_id, lock_id),
  UNIQUE (provider_id, locked_through)
);

-- What VIES, or another register, said of a VAT id. Proof that is kept; it decides nothing.
CREATE TABLE vat_id_check (
  account_id BIGINT NOT NULL,
  check_id BIGINT NOT NULL,
  vat_id TEXT NOT NULL,
  is_valid BIGINT NOT NULL CHECK (is_valid IN (0, 1)),
  checked_at_us BIGINT NOT NULL,
  consultation TEXT,
  name TEXT,
  address TEXT,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, check_id)
);
