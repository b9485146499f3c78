-- What a billing run has billed: an account, period and product are billed once, whatever is run again.
CREATE TABLE billing_item (
  account_id BIGINT NOT NULL,
  period TEXT NOT NULL,
  product TEXT NOT NULL,
  invoice_id BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, period, product)
);
CREATE INDEX billing_item_invoice ON billing_item (account_id, invoice_id);

-- Why a document was issued although a rule that may be overridden forbids it.
ALTER TABLE invoice ADD COLUMN override_reason TEXT;
