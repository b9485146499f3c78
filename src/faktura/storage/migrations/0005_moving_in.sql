-- Documents that were issued elsewhere, with their numbers, before the provider moved in.
CREATE TABLE moved_in (
  account_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  -- The first of the numbers right before its own that history lacked when it came; they may still come.
  missing_from BIGINT,
  -- The payments that came with it bear the ids after its own.
  payment_count BIGINT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, invoice_id)
);
