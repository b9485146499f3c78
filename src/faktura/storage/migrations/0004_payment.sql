-- Money that went back to the buyer: what was left of a payment, or of a credit note.
CREATE TABLE refund (
  account_id BIGINT NOT NULL,
  refund_id BIGINT NOT NULL,
  payment_id BIGINT,
  credit_note_id BIGINT,
  amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
  refunded_on TEXT NOT NULL,
  reference TEXT,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, refund_id),
  CHECK ((payment_id IS NULL) <> (credit_note_id IS NULL))
);
CREATE INDEX refund_payment ON refund (account_id, payment_id);
CREATE INDEX refund_credit_note ON refund (account_id, credit_note_id);
CREATE INDEX refund_reference ON refund (account_id, reference);

-- A payment that bounced or was charged back: it counts no more, and neither do its allocations.
CREATE TABLE reversal (
  account_id BIGINT NOT NULL,
  reversal_id BIGINT NOT NULL,
  payment_id BIGINT NOT NULL,
  reversed_on TEXT NOT NULL,
  reason TEXT NOT NULL,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, reversal_id),
  UNIQUE (account_id, payment_id)
);

-- The pro-forma that an invoice was made from: each makes one invoice, and NULLs are distinct.
ALTER TABLE invoice ADD COLUMN pro_forma_id BIGINT;
CREATE UNIQUE INDEX invoice_pro_forma ON invoice (account_id, pro_forma_id);

-- The pro-forma that a payment was meant for.
ALTER TABLE payment ADD COLUMN pro_forma_id BIGINT;
CREATE INDEX payment_pro_forma ON payment (account_id, pro_forma_id, payment_id);
CREATE INDEX payment_by_id ON payment (payment_id);

-- The id after a credit note's is kept for what it settled when it was issued. So that no later allocation gets it, even
-- where the ledger's last document is a credit note that settled nothing, ids go on one further.
UPDATE counter SET next_id = next_id + 1;
