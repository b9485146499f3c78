-- Every statement of the ledger, in the SQL that SQLite (3.35 or newer) and PostgreSQL share.
-- `-- name:` starts one; `:word` is a parameter.

-- name: provider_insert
INSERT INTO provider (provider_id, name, dialect, zone, currency, seller, settings, created_at_us)
VALUES (:provider_id, :name, :dialect, :zone, :currency, :seller, :settings, :created_at_us);

-- name: provider_set
UPDATE provider SET settings = :settings, seller = :seller WHERE provider_id = :provider_id;

-- name: provider_get
SELECT * FROM provider WHERE provider_id = :provider_id;

-- name: provider_find
SELECT * FROM provider WHERE name = :name;

-- name: provider_all
SELECT * FROM provider ORDER BY provider_id;

-- name: counter_insert
INSERT INTO counter (provider_id, next_id, next_wire_id, journal_sequence, journal_chain)
VALUES (:provider_id, :next_id, :next_wire_id, 0, :journal_chain);

-- name: counter_take
UPDATE counter
SET next_id = next_id + :ids, next_wire_id = next_wire_id + :wire_ids, journal_sequence = journal_sequence + :entries
WHERE provider_id = :provider_id
RETURNING next_id, next_wire_id, journal_sequence, journal_chain;

-- name: counter_set_chain
UPDATE counter SET journal_chain = :journal_chain WHERE provider_id = :provider_id;

-- name: counter_raise_wire_id
UPDATE counter SET next_wire_id = :next_wire_id WHERE provider_id = :provider_id AND next_wire_id < :next_wire_id;

-- name: series_insert
INSERT INTO series (provider_id, name, type_codes, method, template, next_number, last_date, reset)
VALUES (:provider_id, :name, :type_codes, :method, :template, :next_number, :last_date, :reset);

-- name: series_all
SELECT * FROM series WHERE provider_id = :provider_id ORDER BY name;

-- name: series_lock
-- Holds the row until the transaction ends, on every engine, and reads it as it is then.
UPDATE series SET next_number = next_number WHERE provider_id = :provider_id AND name = :name RETURNING *;

-- name: series_set
UPDATE series SET next_number = :next_number, last_date = :last_date, template = :template, reset = :reset
WHERE provider_id = :provider_id AND name = :name;

-- name: issued_number_insert
INSERT INTO issued_number (provider_id, series, number) VALUES (:provider_id, :series, :number);

-- name: issued_number_get
SELECT number FROM issued_number WHERE provider_id = :provider_id AND series = :series AND number = :number;

-- name: issued_number_between
SELECT number FROM issued_number WHERE provider_id = :provider_id AND series = :series AND number BETWEEN :low AND :high LIMIT 1;

-- name: issued_number_count
SELECT COUNT(*) AS numbers FROM issued_number WHERE provider_id = :provider_id;

-- name: series_first_own
-- The first place of a series that was given out here, and not brought along.
SELECT i.series_sequence, i.issue_date FROM invoice i JOIN account a ON a.account_id = i.account_id
LEFT JOIN moved_in m ON m.account_id = i.account_id AND m.invoice_id = i.invoice_id
WHERE a.provider_id = :provider_id AND i.series = :series AND m.invoice_id IS NULL
ORDER BY SUBSTR(i.issue_date, 1, :year_digits), i.series_sequence LIMIT 1;

-- name: series_high
-- The highest place of a series in the years that begin so.
SELECT CAST(COALESCE(MAX(i.series_sequence), 0) AS BIGINT) AS high FROM invoice i JOIN account a ON a.account_id = i.account_id
WHERE a.provider_id = :provider_id AND i.series = :series AND SUBSTR(i.issue_date, 1, 4) = :year;

-- name: moved_in_insert
INSERT INTO moved_in (account_id, invoice_id, missing_from, payment_count, recorded_at_us)
VALUES (:account_id, :invoice_id, :missing_from, :payment_count, :recorded_at_us);

-- name: moved_in_get
SELECT missing_from, payment_count, recorded_at_us FROM moved_in WHERE account_id = :account_id AND invoice_id = :invoice_id;

-- name: series_jump_insert
INSERT INTO series_jump (provider_id, name, from_number, to_number, recorded_at_us)
VALUES (:provider_id, :name, :from_number, :to_number, :recorded_at_us);

-- name: series_jump_all
SELECT name, from_number, to_number, recorded_at_us FROM series_jump WHERE provider_id = :provider_id ORDER BY name, from_number;

-- name: series_first_date
SELECT MIN(i.issue_date) AS first_date FROM invoice i JOIN account a ON a.account_id = i.account_id
WHERE a.provider_id = :provider_id AND i.series = :series;

-- name: account_reference_insert
INSERT INTO account_reference (provider_id, reference, account_id) VALUES (:provider_id, :reference, :account_id);

-- name: account_reference_find
SELECT account_id, reference FROM account_reference WHERE provider_id = :provider_id AND reference = :reference;

-- name: account_insert
INSERT INTO account (account_id, provider_id, reference, buyer, first_ordinal, last_ordinal, revision, created_at_us)
VALUES (:account_id, :provider_id, :reference, :buyer, :first_ordinal, :last_ordinal, 0, :created_at_us);

-- name: account_get
SELECT * FROM account WHERE account_id = :account_id;

-- name: account_lock
-- Holds the row until the transaction ends, on every engine, and reads it as it is then.
UPDATE account SET revision = revision WHERE account_id = :account_id RETURNING *;

-- name: account_revise
UPDATE account SET revision = revision + 1 WHERE account_id = :account_id;

-- name: account_set_ends
UPDATE account SET first_ordinal = :first_ordinal, last_ordinal = :last_ordinal, revision = revision + 1 WHERE account_id = :account_id;

-- name: account_all
SELECT * FROM account WHERE provider_id = :provider_id ORDER BY account_id;

-- name: token_insert
INSERT INTO token (token_hash, token_id, provider_id, account_id, label, hint, scopes, created_at_us, expires_at_us, revoked_at_us, last_used_at_us)
VALUES (:token_hash, :token_id, :provider_id, :account_id, :label, :hint, :scopes, :created_at_us, :expires_at_us, NULL, NULL);

-- name: token_owner
SELECT provider_id, account_id FROM token WHERE token_hash = :token_hash AND account_id IS NOT NULL;

-- name: token_all
SELECT * FROM token WHERE provider_id = :provider_id ORDER BY token_id;

-- name: token_revoke
UPDATE token SET revoked_at_us = :revoked_at_us WHERE token_id = :token_id AND revoked_at_us IS NULL RETURNING token_id;

-- name: token_exists
SELECT token_id FROM token WHERE token_id = :token_id;

-- name: token_used
UPDATE token SET last_used_at_us = :last_used_at_us WHERE token_hash = :token_hash AND (last_used_at_us IS NULL OR last_used_at_us < :last_used_at_us);

-- name: invoice_insert
INSERT INTO invoice (account_id, invoice_id, wire_id, source_wire_id, origin, type_code, source_type, series, series_sequence, number, created_at_us, issue_date, currency,
  price_basis, seller, buyer, due_date, tax_point_date, period_start, period_end, line_total_minor, allowance_total_minor, charge_total_minor,
  total_without_vat_minor, vat_total_minor, total_with_vat_minor, vat_rate, line_count, breakdown_count, preceding_number, preceding_issue_date,
  preceding_invoice_id, order_ids, note, payment_terms, override_reason, tax_country, pro_forma_id, recorded_at_us)
VALUES (:account_id, :invoice_id, :wire_id, :source_wire_id, :origin, :type_code, :source_type, :series, :series_sequence, :number, :created_at_us, :issue_date, :currency,
  :price_basis, :seller, :buyer, :due_date, :tax_point_date, :period_start, :period_end, :line_total_minor, :allowance_total_minor,
  :charge_total_minor, :total_without_vat_minor, :vat_total_minor, :total_with_vat_minor, :vat_rate, :line_count, :breakdown_count, :preceding_number,
  :preceding_issue_date, :preceding_invoice_id, :order_ids, :note, :payment_terms, :override_reason, :tax_country, :pro_forma_id, :recorded_at_us);

-- name: invoice_get
SELECT * FROM invoice WHERE account_id = :account_id AND invoice_id = :invoice_id;

-- name: invoice_by_wire_id
SELECT * FROM invoice WHERE account_id = :account_id AND wire_id = :wire_id;

-- name: invoice_by_source_wire_id
SELECT * FROM invoice WHERE account_id = :account_id AND source_wire_id = :wire_id ORDER BY invoice_id;

-- name: invoice_by_number
SELECT * FROM invoice WHERE account_id = :account_id AND number = :number ORDER BY invoice_id;

-- name: invoice_number_known
SELECT account_id, number FROM invoice WHERE account_id = :account_id AND number = :number LIMIT 1;

-- name: invoice_account
-- An id is unique in the ledger, but only operators may ask without an account.
SELECT account_id FROM invoice WHERE invoice_id = :invoice_id;

-- name: invoice_credited
SELECT CAST(COALESCE(SUM(total_with_vat_minor), 0) AS BIGINT) AS credited_minor FROM invoice
WHERE account_id = :account_id AND preceding_invoice_id = :invoice_id AND type_code = 381 AND origin = 'issued'

-- name: invoice_credited_moment
AND recorded_at_us <= :as_of_us AND issue_date <= :on_date;

-- name: invoice_credited_vat
SELECT v.* FROM invoice i JOIN vat_breakdown v ON v.account_id = i.account_id AND v.invoice_id = i.invoice_id
WHERE i.account_id = :account_id AND i.preceding_invoice_id = :invoice_id AND i.type_code = 381 AND i.origin = 'issued';

-- name: invoice_place
SELECT invoice_id, account_id, issue_date, number FROM invoice WHERE invoice_id = :invoice_id;

-- name: invoice_amounts
-- For a balance: only what it adds up, with what was enriched of it, so that an account of many documents is read quickly.
SELECT i.account_id, i.invoice_id, i.origin, i.type_code, i.currency, i.total_with_vat_minor, i.due_date, l.paid_minor, l.due_minor,
  total.value AS added_total, due.value AS added_due_date, EXISTS (
    SELECT 1 FROM observation o WHERE o.account_id = i.account_id AND o.invoice_id = i.invoice_id AND o.recorded_at_us <= :as_of_us
  ) AS is_observed
FROM invoice i
JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id
LEFT JOIN enrichment total ON total.account_id = i.account_id AND total.invoice_id = i.invoice_id
  AND total.term = 'total_with_vat_minor' AND total.recorded_at_us <= :as_of_us
LEFT JOIN enrichment due ON due.account_id = i.account_id AND due.invoice_id = i.invoice_id
  AND due.term = 'due_date' AND due.recorded_at_us <= :as_of_us
WHERE i.account_id = :account_id AND i.recorded_at_us <= :as_of_us AND i.issue_date <= :on_date;

-- name: line_of_order
SELECT line_number FROM invoice_line WHERE account_id = :account_id AND invoice_id = :invoice_id AND order_id = :order_id LIMIT 1;

-- name: invoice_of_pro_forma
SELECT invoice_id FROM invoice WHERE account_id = :account_id AND pro_forma_id = :pro_forma_id;

-- name: billing_item_get
SELECT invoice_id FROM billing_item WHERE account_id = :account_id AND period = :period AND product = :product;

-- name: billing_item_find
SELECT account_id, period, product, invoice_id FROM billing_item WHERE account_id = :account_id AND period = :period AND product = :product;

-- name: billing_item_of_invoice
SELECT period, product, recorded_at_us FROM billing_item WHERE account_id = :account_id AND invoice_id = :invoice_id ORDER BY period, product;

-- name: billing_item_insert
INSERT INTO billing_item (account_id, period, product, invoice_id, recorded_at_us) VALUES (:account_id, :period, :product, :invoice_id, :recorded_at_us);

-- name: line_insert
INSERT INTO invoice_line (account_id, invoice_id, line_number, name, quantity, unit_code, unit_price, line_total_minor, net_amount_minor,
  vat_category, vat_rate, item_id, period_start, period_end, order_id)
VALUES (:account_id, :invoice_id, :line_number, :name, :quantity, :unit_code, :unit_price, :line_total_minor, :net_amount_minor,
  :vat_category, :vat_rate, :item_id, :period_start, :period_end, :order_id);

-- name: line_all
SELECT * FROM invoice_line WHERE account_id = :account_id AND invoice_id = :invoice_id ORDER BY line_number;

-- name: allowance_charge_insert
INSERT INTO allowance_charge (account_id, invoice_id, line_number, position, is_charge, amount_minor, net_amount_minor, reason, vat_category, vat_rate)
VALUES (:account_id, :invoice_id, :line_number, :position, :is_charge, :amount_minor, :net_amount_minor, :reason, :vat_category, :vat_rate);

-- name: allowance_charge_all
SELECT * FROM allowance_charge WHERE account_id = :account_id AND invoice_id = :invoice_id ORDER BY line_number, position;

-- name: vat_breakdown_insert
INSERT INTO vat_breakdown (account_id, invoice_id, position, category, rate, taxable_amount_minor, tax_amount_minor, exemption_reason)
VALUES (:account_id, :invoice_id, :position, :category, :rate, :taxable_amount_minor, :tax_amount_minor, :exemption_reason);

-- name: vat_breakdown_all
SELECT * FROM vat_breakdown WHERE account_id = :account_id AND invoice_id = :invoice_id ORDER BY position;

-- name: payment_insert
INSERT INTO payment (account_id, payment_id, amount_minor, currency, paid_on, reference, pro_forma_id, recorded_at_us)
VALUES (:account_id, :payment_id, :amount_minor, :currency, :paid_on, :reference, :pro_forma_id, :recorded_at_us);

-- name: payment_account
-- An id is unique in the ledger, but only operators may ask without an account.
SELECT account_id FROM payment WHERE payment_id = :payment_id;

-- name: payment_repeated
SELECT p.payment_id FROM payment p
LEFT JOIN reversal rv ON rv.account_id = p.account_id AND rv.payment_id = p.payment_id
WHERE p.account_id = :account_id AND p.reference = :reference AND p.amount_minor = :amount_minor AND p.paid_on = :paid_on AND rv.payment_id IS NULL LIMIT 1;

-- name: payment_used
SELECT
  CAST(COALESCE((SELECT SUM(amount_minor) FROM allocation WHERE account_id = :account_id AND payment_id = :payment_id), 0) AS BIGINT) AS allocated_minor,
  CAST(COALESCE((SELECT SUM(amount_minor) FROM refund WHERE account_id = :account_id AND payment_id = :payment_id), 0) AS BIGINT) AS refunded_minor;

-- name: payment_settled
SELECT invoice_id FROM allocation WHERE account_id = :account_id AND payment_id = :payment_id;

-- name: payment_left
-- What is left of payments that count at a moment; fragments narrow it, or add what is left of credit notes.
SELECT p.payment_id AS place, p.payment_id, CAST(NULL AS BIGINT) AS credit_note_id, p.pro_forma_id, p.currency, p.paid_on, CAST(p.amount_minor
  - COALESCE((
    SELECT SUM(al.amount_minor) FROM allocation al JOIN invoice i ON i.account_id = al.account_id AND i.invoice_id = al.invoice_id
    WHERE al.account_id = p.account_id AND al.payment_id = p.payment_id
      AND al.recorded_at_us <= :as_of_us AND i.recorded_at_us <= :as_of_us AND i.issue_date <= :on_date
  ), 0)
  - COALESCE((
    SELECT SUM(rf.amount_minor) FROM refund rf
    WHERE rf.account_id = p.account_id AND rf.payment_id = p.payment_id AND rf.recorded_at_us <= :as_of_us AND rf.refunded_on <= :on_date
  ), 0) AS BIGINT) AS credit_minor
FROM payment p
LEFT JOIN reversal rv ON rv.account_id = p.account_id AND rv.payment_id = p.payment_id
WHERE p.account_id = :account_id AND p.recorded_at_us <= :as_of_us AND p.paid_on <= :on_date
  AND (rv.payment_id IS NULL OR rv.recorded_at_us > :as_of_us OR rv.reversed_on > :on_date)

-- name: payment_left_for_pro_forma
AND p.pro_forma_id = :pro_forma_id

-- name: credit_note_left
UNION ALL
SELECT n.invoice_id, CAST(NULL AS BIGINT), n.invoice_id, CAST(NULL AS BIGINT), n.currency, n.issue_date, CAST(n.total_with_vat_minor
  - COALESCE((
    SELECT SUM(al.amount_minor) FROM allocation al JOIN invoice i ON i.account_id = al.account_id AND i.invoice_id = al.invoice_id
    WHERE al.account_id = n.account_id AND al.credit_note_id = n.invoice_id
      AND al.recorded_at_us <= :as_of_us AND al.allocated_on <= :on_date AND i.recorded_at_us <= :as_of_us AND i.issue_date <= :on_date
  ), 0)
  - COALESCE((
    SELECT SUM(rf.amount_minor) FROM refund rf
    WHERE rf.account_id = n.account_id AND rf.credit_note_id = n.invoice_id AND rf.recorded_at_us <= :as_of_us AND rf.refunded_on <= :on_date
  ), 0) AS BIGINT)
FROM invoice n
WHERE n.account_id = :account_id AND n.type_code = 381 AND n.origin = 'issued' AND n.recorded_at_us <= :as_of_us AND n.issue_date <= :on_date

-- name: left_order
ORDER BY place

-- name: refund_insert
INSERT INTO refund (account_id, refund_id, payment_id, credit_note_id, amount_minor, refunded_on, reference, recorded_at_us)
VALUES (:account_id, :refund_id, :payment_id, :credit_note_id, :amount_minor, :refunded_on, :reference, :recorded_at_us);

-- name: refund_repeated
SELECT refund_id FROM refund
WHERE account_id = :account_id AND reference = :reference AND amount_minor = :amount_minor AND refunded_on = :refunded_on LIMIT 1;

-- name: reversal_insert
INSERT INTO reversal (account_id, reversal_id, payment_id, reversed_on, reason, recorded_at_us)
VALUES (:account_id, :reversal_id, :payment_id, :reversed_on, :reason, :recorded_at_us);

-- name: reversal_of_payment
SELECT * FROM reversal WHERE account_id = :account_id AND payment_id = :payment_id;

-- name: payment_sums
-- What payments have settled, by currency.
SELECT p.currency, CAST(SUM(al.amount_minor) AS BIGINT) AS amount_minor
FROM allocation al JOIN payment p ON p.account_id = al.account_id AND p.payment_id = al.payment_id
LEFT JOIN reversal rv ON rv.account_id = al.account_id AND rv.payment_id = al.payment_id
WHERE al.account_id = :account_id

-- name: payment_sums_group
GROUP BY p.currency ORDER BY p.currency;

-- name: refund_sums
SELECT COALESCE(p.currency, i.currency) AS currency, CAST(SUM(rf.amount_minor) AS BIGINT) AS amount_minor
FROM refund rf
LEFT JOIN payment p ON p.account_id = rf.account_id AND p.payment_id = rf.payment_id
LEFT JOIN invoice i ON i.account_id = rf.account_id AND i.invoice_id = rf.credit_note_id
WHERE rf.account_id = :account_id AND COALESCE(p.recorded_at_us, i.recorded_at_us) <= :as_of_us AND COALESCE(p.paid_on, i.issue_date) <= :on_date

-- name: refund_moment
AND rf.recorded_at_us <= :as_of_us AND rf.refunded_on <= :on_date

-- name: refund_sums_group
GROUP BY COALESCE(p.currency, i.currency) ORDER BY COALESCE(p.currency, i.currency);

-- name: allocation_insert
INSERT INTO allocation (account_id, allocation_id, invoice_id, payment_id, credit_note_id, amount_minor, allocated_on, recorded_at_us)
VALUES (:account_id, :allocation_id, :invoice_id, :payment_id, :credit_note_id, :amount_minor, :allocated_on, :recorded_at_us);

-- name: allocation_of_invoice
-- What settles a document, unless its payment was reversed; and of a credit note what it has settled (its own settlement,
-- seen from the other side) and what of it was refunded. Sorted by whoever asks, so that each part goes along its index.
SELECT al.allocation_id AS place, al.amount_minor, COALESCE(p.paid_on, al.allocated_on) AS paid_on
FROM allocation al LEFT JOIN payment p ON p.account_id = al.account_id AND p.payment_id = al.payment_id
LEFT JOIN reversal rv ON rv.account_id = al.account_id AND rv.payment_id = al.payment_id
WHERE al.account_id = :account_id AND al.invoice_id = :invoice_id

-- name: allocation_now
AND rv.payment_id IS NULL

-- name: allocation_moment
-- An allocation counts where itself, what it comes from and what it settles all do, and its payment is not reversed by then.
AND al.recorded_at_us <= :as_of_us AND COALESCE(p.recorded_at_us, al.recorded_at_us) <= :as_of_us AND COALESCE(p.paid_on, al.allocated_on) <= :on_date
AND (rv.payment_id IS NULL OR rv.recorded_at_us > :as_of_us OR rv.reversed_on > :on_date)
AND EXISTS (
  SELECT 1 FROM invoice settled WHERE settled.account_id = al.account_id AND settled.invoice_id = al.invoice_id
    AND settled.recorded_at_us <= :as_of_us AND settled.issue_date <= :on_date
)

-- name: allocation_of_credit_note
UNION ALL
SELECT al.allocation_id, al.amount_minor, al.allocated_on FROM allocation al WHERE al.account_id = :account_id AND al.credit_note_id = :invoice_id

-- name: allocation_of_credit_note_moment
AND al.recorded_at_us <= :as_of_us AND al.allocated_on <= :on_date AND EXISTS (
  SELECT 1 FROM invoice settled WHERE settled.account_id = al.account_id AND settled.invoice_id = al.invoice_id
    AND settled.recorded_at_us <= :as_of_us AND settled.issue_date <= :on_date
)

-- name: refund_of_credit_note
UNION ALL
SELECT rf.refund_id, rf.amount_minor, rf.refunded_on FROM refund rf WHERE rf.account_id = :account_id AND rf.credit_note_id = :invoice_id

-- name: source_insert
INSERT INTO source (account_id, source_id, invoice_id, kind, digest, body, seen_at_us, recorded_at_us)
VALUES (:account_id, :source_id, :invoice_id, :kind, :digest, :body, :seen_at_us, :recorded_at_us);

-- name: source_of_invoice
-- Whoever contradicts what a document is told from others by may be of another one.
SELECT s.source_id, s.kind, s.digest, s.seen_at_us,
  (SELECT COUNT(*) FROM conflict c WHERE c.account_id = s.account_id AND c.invoice_id = s.invoice_id AND c.source_id = s.source_id) AS conflicts,
  (SELECT COUNT(*) FROM conflict c WHERE c.account_id = s.account_id AND c.invoice_id = s.invoice_id AND c.source_id = s.source_id
    AND c.term IN ('number', 'type_code', 'total_with_vat', 'seller')) AS others
FROM source s WHERE s.account_id = :account_id AND s.invoice_id = :invoice_id ORDER BY s.source_id;

-- name: source_original
SELECT s.digest, s.body FROM source s
WHERE s.account_id = :account_id AND s.invoice_id = :invoice_id AND s.kind = 'document'
  AND NOT EXISTS (SELECT 1 FROM conflict c WHERE c.account_id = s.account_id AND c.invoice_id = s.invoice_id AND c.source_id = s.source_id
    AND c.term IN ('number', 'type_code', 'total_with_vat', 'seller'))
ORDER BY s.source_id LIMIT 1;

-- name: observation_insert
INSERT INTO observation (account_id, invoice_id, source_id, seen_at_us, paid_minor, due_minor, settlements, recorded_at_us)
VALUES (:account_id, :invoice_id, :source_id, :seen_at_us, :paid_minor, :due_minor, :settlements, :recorded_at_us);

-- name: observation_all
-- The latest seen comes last; of one instant, the order of arrival decides nothing.
SELECT o.paid_minor, o.due_minor, o.settlements FROM observation o JOIN source s ON s.account_id = o.account_id AND s.source_id = o.source_id
WHERE o.account_id = :account_id AND o.invoice_id = :invoice_id AND o.recorded_at_us <= :as_of_us AND o.seen_at_us < :seen_before_us
ORDER BY o.seen_at_us, s.digest;

-- name: enrichment_insert
INSERT INTO enrichment (account_id, invoice_id, term, value, source_id, recorded_at_us)
VALUES (:account_id, :invoice_id, :term, :value, :source_id, :recorded_at_us);

-- name: enrichment_all
SELECT term, value FROM enrichment WHERE account_id = :account_id AND invoice_id = :invoice_id AND recorded_at_us <= :as_of_us;

-- name: conflict_insert
INSERT INTO conflict (account_id, invoice_id, source_id, term, kept, heard, recorded_at_us)
VALUES (:account_id, :invoice_id, :source_id, :term, :kept, :heard, :recorded_at_us);

-- name: journal_newest
-- When the latest of a provider's last entries was recorded.
SELECT MAX(recorded_at_us) AS recorded_at_us FROM (SELECT recorded_at_us FROM journal WHERE provider_id = :provider_id ORDER BY sequence DESC LIMIT 1000) recent;

-- name: journal_insert
INSERT INTO journal (provider_id, sequence, recorded_at_us, actor, event, account_id, subject_id, digest, chain)
VALUES (:provider_id, :sequence, :recorded_at_us, :actor, :event, :account_id, :subject_id, :digest, :chain);

-- name: collected_count
SELECT COUNT(*) AS documents FROM invoice WHERE account_id = :account_id AND source_wire_id IS NOT NULL;

-- name: collected_absent
-- The contradictions are few; the sources are many. What was seen last counts, not what was written last: an old file may be imported later.
SELECT i.invoice_id, i.source_wire_id, l.ordinal FROM conflict c
JOIN source a ON a.account_id = c.account_id AND a.source_id = c.source_id
JOIN invoice i ON i.account_id = c.account_id AND i.invoice_id = c.invoice_id
JOIN listing l ON l.account_id = c.account_id AND l.invoice_id = c.invoice_id
WHERE c.account_id = :account_id AND c.term = 'presence' AND c.heard = 'absent' AND i.source_wire_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM source s WHERE s.account_id = c.account_id AND s.invoice_id = c.invoice_id AND s.seen_at_us > a.seen_at_us)
ORDER BY l.ordinal DESC;

-- name: collected_due
SELECT i.invoice_id, i.source_wire_id, l.ordinal FROM listing l
JOIN invoice i ON i.account_id = l.account_id AND i.invoice_id = l.invoice_id
WHERE l.account_id = :account_id AND l.due_minor <> 0 AND l.ordinal IS NOT NULL AND i.source_wire_id IS NOT NULL
ORDER BY l.ordinal DESC;

-- name: collected_without_single
-- The sum keeps SQLite from walking all sources of the account backwards, where a document's own are few.
SELECT i.invoice_id, i.source_wire_id, l.ordinal FROM listing l
JOIN invoice i ON i.account_id = l.account_id AND i.invoice_id = l.invoice_id
WHERE l.account_id = :account_id AND l.ordinal < :before AND i.source_wire_id IS NOT NULL
  AND (SELECT s.kind FROM source s WHERE s.account_id = i.account_id AND s.invoice_id = i.invoice_id ORDER BY s.source_id + 0 DESC LIMIT 1) = 'list'
ORDER BY l.ordinal DESC LIMIT :limit;

-- name: collected_without_single_count
SELECT COUNT(*) AS documents FROM invoice i
WHERE i.account_id = :account_id AND i.source_wire_id IS NOT NULL
  AND (SELECT s.kind FROM source s WHERE s.account_id = i.account_id AND s.invoice_id = i.invoice_id ORDER BY s.source_id + 0 DESC LIMIT 1) = 'list';

-- name: collected_all
SELECT i.invoice_id, i.source_wire_id, l.ordinal FROM invoice i
JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id
WHERE i.account_id = :account_id AND i.source_wire_id IS NOT NULL AND i.recorded_at_us < :before_us ORDER BY i.source_wire_id;

-- name: collected_numbers
SELECT number, type_code, issue_date FROM invoice WHERE account_id = :account_id AND source_wire_id IS NOT NULL;

-- name: collected_doubles
SELECT a.reference, i.number, i.type_code, COUNT(*) AS documents, MAX(i.invoice_id) AS last_invoice_id
FROM invoice i JOIN account a ON a.account_id = i.account_id
WHERE i.account_id = :account_id AND i.source_wire_id IS NOT NULL
GROUP BY a.reference, i.number, i.type_code, i.source_type HAVING COUNT(*) > 1 ORDER BY i.number;

-- name: contradicted_count
-- An operator's question, over all accounts of a provider.
SELECT COUNT(DISTINCT c.invoice_id) AS documents FROM account a JOIN conflict c ON c.account_id = a.account_id WHERE a.provider_id = :provider_id;

-- name: contradictions
-- An operator's question, over all accounts of a provider. Beside what was heard stands the first word of the same kind, or else the first at all.
SELECT c.account_id, a.reference, c.invoice_id, i.number, c.source_id, s.kind, s.seen_at_us, c.recorded_at_us, c.term, c.kept, c.heard, s.body AS heard_body,
  COALESCE(
    (SELECT f.body FROM source f WHERE f.account_id = c.account_id AND f.invoice_id = c.invoice_id AND f.source_id + 0 < s.source_id
       AND f.kind = s.kind AND f.kind <> 'absent' ORDER BY f.source_id + 0 LIMIT 1),
    (SELECT f.body FROM source f WHERE f.account_id = c.account_id AND f.invoice_id = c.invoice_id ORDER BY f.source_id + 0 LIMIT 1)
  ) AS kept_body
FROM account a
JOIN conflict c ON c.account_id = a.account_id
JOIN invoice i ON i.account_id = c.account_id AND i.invoice_id = c.invoice_id
JOIN source s ON s.account_id = c.account_id AND s.source_id = c.source_id
WHERE a.provider_id = :provider_id AND c.recorded_at_us >= :since_us
ORDER BY c.recorded_at_us, c.source_id, c.term;

-- name: listing_insert
INSERT INTO listing (account_id, invoice_id, ordinal, created_at_us, wire_id, number_folded, paid_minor, due_minor, dialect_version, item, single)
VALUES (:account_id, :invoice_id, :ordinal, :created_at_us, :wire_id, :number_folded, :paid_minor, :due_minor, :dialect_version, :item, :single);

-- name: listing_refresh
UPDATE listing SET paid_minor = :paid_minor, due_minor = :due_minor, dialect_version = :dialect_version, item = :item, single = :single
WHERE account_id = :account_id AND invoice_id = :invoice_id;

-- name: listing_at
SELECT account_id, created_at_us, wire_id FROM listing WHERE account_id = :account_id AND ordinal = :ordinal;

-- name: listing_first_after
SELECT ordinal FROM listing
WHERE account_id = :account_id AND (ordinal + 0) IS NOT NULL AND ordinal > 0 AND (created_at_us > :created_at_us OR (created_at_us = :created_at_us AND wire_id > :wire_id))
ORDER BY created_at_us, wire_id LIMIT 1;

-- name: listing_rekey
UPDATE listing SET created_at_us = :created_at_us WHERE account_id = :account_id AND invoice_id = :invoice_id;

-- name: listing_renumber
-- New ordinals for the rows from a key to a key, in list order. With sign -1 they are parked as negatives, so that no two
-- rows ever share one while the statement runs; ordinals that nobody had can be written at once.
UPDATE listing SET ordinal = :sign * ranked.place
FROM (
  SELECT invoice_id, :first_ordinal - 1 + ROW_NUMBER() OVER (ORDER BY created_at_us, wire_id) AS place
  FROM listing
  WHERE account_id = :account_id AND (ordinal + 0) IS NOT NULL
    AND (created_at_us > :from_us OR (created_at_us = :from_us AND wire_id >= :from_wire_id))
    AND (created_at_us < :to_us OR (created_at_us = :to_us AND wire_id <= :to_wire_id))
) AS ranked
WHERE listing.account_id = :account_id AND listing.invoice_id = ranked.invoice_id;

-- name: listing_unpark
UPDATE listing SET ordinal = -ordinal WHERE account_id = :account_id AND ordinal < 0;

-- name: listing_numbers
SELECT created_at_us, wire_id, number_folded FROM listing WHERE account_id = :account_id AND (ordinal + 0) IS NOT NULL ORDER BY created_at_us, wire_id;

-- name: number_part_insert
INSERT INTO number_part (account_id, part, created_at_us, wire_id) VALUES (:account_id, :part, :created_at_us, :wire_id);

-- name: number_part_rekey
UPDATE number_part SET created_at_us = :created_at_us WHERE account_id = :account_id AND part = :part AND wire_id = :wire_id;

-- name: number_part_count
SELECT COUNT(*) AS parts FROM number_part WHERE account_id = :account_id;

-- name: number_part_audit
-- How many parts the listed numbers of an account make, and how many of those that are stored are such parts.
SELECT
  (SELECT CAST(COALESCE(SUM(CASE WHEN LENGTH(number_folded) > 64 THEN 1 WHEN LENGTH(number_folded) > 2 THEN LENGTH(number_folded) - 2 ELSE 0 END), 0) AS BIGINT)
    FROM listing WHERE account_id = :account_id AND (ordinal + 0) IS NOT NULL) AS made,
  (SELECT COUNT(*) FROM number_part p CROSS JOIN listing l
    WHERE p.account_id = :account_id AND l.account_id = p.account_id AND l.created_at_us = p.created_at_us AND l.wire_id = p.wire_id
      AND (l.ordinal + 0) IS NOT NULL AND CASE WHEN LENGTH(l.number_folded) > 64 THEN p.part = ''
      ELSE LENGTH(p.part) > 2 AND SUBSTR(l.number_folded, LENGTH(l.number_folded) - LENGTH(p.part) + 1) = p.part END) AS fitting;

-- name: stale_listings
SELECT l.account_id, l.invoice_id FROM listing l JOIN account a ON a.account_id = l.account_id
WHERE a.provider_id = :provider_id AND l.dialect_version < :dialect_version ORDER BY l.account_id, l.invoice_id LIMIT :limit;

-- name: stale_listings_count
SELECT COUNT(*) AS documents FROM listing l JOIN account a ON a.account_id = l.account_id
WHERE a.provider_id = :provider_id AND l.dialect_version < :dialect_version;

-- name: serve_page [sqlite]
-- The hot statement: the token's hash decides the account, the account's ends decide the rows; no caller passes an account.
-- The page comes as one value, its items joined by commas, newest first; one that another release rendered is a zero byte, which no JSON has.
SELECT a.account_id, a.revision, a.last_ordinal - a.first_ordinal + 1 AS total, (
  SELECT CAST(GROUP_CONCAT(CASE WHEN page.dialect_version = :dialect_version THEN page.item ELSE X'00' END) AS BLOB) FROM (
    SELECT l.item, l.dialect_version FROM listing l
    WHERE l.account_id = a.account_id AND l.ordinal <= a.last_ordinal - :skip AND l.ordinal > a.last_ordinal - :skip - :size
    ORDER BY l.ordinal DESC
  ) AS page
) AS items
FROM token t JOIN account a ON a.account_id = t.account_id
WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us);

-- name: serve_page [postgresql]
-- The ends are computed first: below row-level security an index is walked only along plain comparisons.
WITH owner AS MATERIALIZED (
  SELECT a.account_id, a.revision, a.last_ordinal - a.first_ordinal + 1 AS total, a.last_ordinal - :skip AS newest, a.last_ordinal - :skip - :size AS too_old
  FROM token t JOIN account a ON a.account_id = t.account_id
  WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us)
)
SELECT o.account_id, o.revision, o.total, (
  SELECT STRING_AGG(CASE WHEN l.dialect_version = :dialect_version THEN l.item ELSE '\x00'::BYTEA END, ','::BYTEA ORDER BY l.ordinal DESC)
  FROM listing l WHERE l.account_id = o.account_id AND l.ordinal <= o.newest AND l.ordinal > o.too_old
) AS items
FROM owner o;

-- name: serve_owner
-- Whose token it is, and how often what it sees has changed.
SELECT a.account_id, a.revision FROM token t JOIN account a ON a.account_id = t.account_id
WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us);

-- name: serve_list
-- The same, a row each: the token's hash decides the account, the account's ends decide the rows; no caller passes an account.
-- The ends are computed first: below row-level security an index is walked only along plain comparisons. Rows come unsorted.
WITH owner AS MATERIALIZED (
  SELECT a.provider_id, a.account_id, a.first_ordinal, a.last_ordinal, a.revision,
    a.last_ordinal - :skip AS newest, a.last_ordinal - :skip - :size AS too_old
  FROM token t JOIN account a ON a.account_id = t.account_id
  WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us)
)
SELECT o.provider_id, o.account_id, o.first_ordinal, o.last_ordinal, o.revision, l.dialect_version, l.item, l.invoice_id, l.ordinal
FROM owner o LEFT JOIN listing l ON l.account_id = o.account_id AND l.ordinal <= o.newest AND l.ordinal > o.too_old;

-- name: serve_search
-- Documents of a large account whose number contains a text of three characters or more: each part that begins with it, but where
-- the text comes again later in the same number. Beyond so many hits their number is all that is told. Rows come unsorted.
-- CAST, since SQLite prepares a statement anew for each text that stands after LIKE itself.
WITH owner AS MATERIALIZED (
  SELECT a.provider_id, a.account_id, a.revision, a.last_ordinal - a.first_ordinal + 1 AS listed
  FROM token t JOIN account a ON a.account_id = t.account_id
  WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us)
), hit AS MATERIALIZED (
  SELECT found.created_at_us, found.wire_id FROM (
    SELECT created_at_us, wire_id FROM number_part
    WHERE account_id = (SELECT account_id FROM owner) AND part >= :text AND part <= :text_end AND part NOT LIKE CAST(:again AS TEXT) ESCAPE '\'
    UNION ALL
    SELECT p.created_at_us, p.wire_id
    FROM number_part p
    WHERE p.account_id = (SELECT account_id FROM owner) AND p.part = '' AND (
      SELECT l.number_folded FROM listing l
      WHERE l.account_id = p.account_id AND l.created_at_us = p.created_at_us AND l.wire_id = p.wire_id AND (l.ordinal + 0) IS NOT NULL
    ) LIKE CAST(:pattern AS TEXT) ESCAPE '\'
  ) found LIMIT :hits_max + 1
), page AS MATERIALIZED (
  SELECT created_at_us, wire_id FROM hit ORDER BY created_at_us DESC, wire_id DESC LIMIT :size OFFSET :skip
), hits AS (
  SELECT COUNT(*) AS total FROM hit
)
SELECT o.provider_id, o.account_id, o.revision, o.listed, h.total, l.dialect_version, l.item, l.invoice_id, l.ordinal
FROM owner o CROSS JOIN hits h LEFT JOIN page ON h.total <= :hits_max
LEFT JOIN listing l ON l.account_id = o.account_id AND l.created_at_us = page.created_at_us AND l.wire_id = page.wire_id AND (l.ordinal + 0) IS NOT NULL;

-- name: serve_search_whole
-- The same of any account and any text, by a pass over the numbers in the order of the list: for the page as far as it reaches, for the
-- total, where that is asked for, to the end. `oldest_us`, before all, leads a planner to that order, whose index has the numbers.
-- The pattern is a LIKE pattern, case-folded as the stored number is, escaped by \.
WITH owner AS MATERIALIZED (
  SELECT a.provider_id, a.account_id, a.revision, a.last_ordinal - a.first_ordinal + 1 AS listed
  FROM token t JOIN account a ON a.account_id = t.account_id
  WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us)
), page AS MATERIALIZED (
  SELECT created_at_us, wire_id FROM listing
  WHERE account_id = (SELECT account_id FROM owner) AND created_at_us > :oldest_us AND (ordinal + 0) IS NOT NULL AND number_folded LIKE CAST(:pattern AS TEXT) ESCAPE '\'
  ORDER BY created_at_us DESC, wire_id DESC LIMIT :size OFFSET :skip
), hits AS MATERIALIZED (
  SELECT COUNT(*) AS total FROM listing
  WHERE account_id = (SELECT account_id FROM owner) AND created_at_us > :oldest_us AND (ordinal + 0) IS NOT NULL AND number_folded LIKE CAST(:pattern AS TEXT) ESCAPE '\'
    AND CAST(:is_counting AS BIGINT) = 1
)
SELECT o.provider_id, o.account_id, o.revision, o.listed, h.total, l.dialect_version, l.item, l.invoice_id, l.ordinal
FROM owner o CROSS JOIN hits h LEFT JOIN page ON 1 = 1
LEFT JOIN listing l ON l.account_id = o.account_id AND l.created_at_us = page.created_at_us AND l.wire_id = page.wire_id AND (l.ordinal + 0) IS NOT NULL;

-- name: serve_single
SELECT a.provider_id, a.account_id, a.revision, l.dialect_version, l.single, l.invoice_id
FROM token t
JOIN account a ON a.account_id = t.account_id
LEFT JOIN invoice i ON i.account_id = a.account_id AND i.wire_id = :wire_id
LEFT JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id AND l.ordinal IS NOT NULL
WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us);

-- name: serve_file
-- A listed document by the id that the provider's API gives it, and what is kept of its file.
SELECT a.provider_id, a.account_id, l.invoice_id, i.number, f.sha256, f.body
FROM token t
JOIN account a ON a.account_id = t.account_id
LEFT JOIN invoice i ON i.account_id = a.account_id AND i.wire_id = :wire_id
LEFT JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id AND l.ordinal IS NOT NULL
LEFT JOIN document_file f ON f.account_id = l.account_id AND f.invoice_id = l.invoice_id AND f.form = :form AND f.body IS NOT NULL
WHERE t.token_hash = :token_hash AND t.revoked_at_us IS NULL AND (t.expires_at_us IS NULL OR t.expires_at_us > :now_us);

-- name: journal_after
SELECT * FROM journal WHERE provider_id = :provider_id AND sequence > :sequence ORDER BY sequence LIMIT :limit;

-- name: counter_get
SELECT journal_sequence, journal_chain FROM counter WHERE provider_id = :provider_id;

-- name: audit_source
SELECT * FROM source WHERE account_id = :account_id AND source_id = :source_id;

-- name: audit_observation
SELECT * FROM observation WHERE account_id = :account_id AND source_id = :source_id AND invoice_id = :invoice_id;

-- name: audit_enrichment
SELECT * FROM enrichment WHERE account_id = :account_id AND source_id = :source_id AND invoice_id = :invoice_id ORDER BY term;

-- name: audit_conflict
SELECT * FROM conflict WHERE account_id = :account_id AND source_id = :source_id AND invoice_id = :invoice_id ORDER BY term;

-- name: audit_payment
SELECT * FROM payment WHERE account_id = :account_id AND payment_id = :payment_id;

-- name: audit_allocation
SELECT * FROM allocation WHERE account_id = :account_id AND allocation_id = :allocation_id;

-- name: audit_refund
SELECT * FROM refund WHERE account_id = :account_id AND refund_id = :refund_id;

-- name: audit_reversal
SELECT * FROM reversal WHERE account_id = :account_id AND reversal_id = :reversal_id;

-- name: audit_listing
SELECT * FROM listing WHERE account_id = :account_id AND invoice_id = :invoice_id;

-- name: audit_ordinals
SELECT COUNT(ordinal) AS listed, MIN(ordinal) AS first_ordinal, MAX(ordinal) AS last_ordinal FROM listing WHERE account_id = :account_id;

-- name: audit_disorder
-- Listed documents that stand before an older one.
SELECT later.invoice_id FROM listing earlier
JOIN listing later ON later.account_id = earlier.account_id AND later.ordinal = earlier.ordinal + 1
WHERE earlier.account_id = :account_id
  AND (later.created_at_us < earlier.created_at_us OR (later.created_at_us = earlier.created_at_us AND later.wire_id < earlier.wire_id))
LIMIT 1;

-- name: audit_counts
-- Rows that hang on an account, to be held against what the journal accounts for.
SELECT
  (SELECT COUNT(*) FROM invoice WHERE account_id = :account_id) AS invoice,
  (SELECT COUNT(*) FROM invoice_line WHERE account_id = :account_id) AS invoice_line,
  (SELECT COUNT(*) FROM allowance_charge WHERE account_id = :account_id) AS allowance_charge,
  (SELECT COUNT(*) FROM vat_breakdown WHERE account_id = :account_id) AS vat_breakdown,
  (SELECT COUNT(*) FROM payment WHERE account_id = :account_id) AS payment,
  (SELECT COUNT(*) FROM allocation WHERE account_id = :account_id) AS allocation,
  (SELECT COUNT(*) FROM refund WHERE account_id = :account_id) AS refund,
  (SELECT COUNT(*) FROM reversal WHERE account_id = :account_id) AS reversal,
  (SELECT COUNT(*) FROM source WHERE account_id = :account_id) AS source,
  (SELECT COUNT(*) FROM observation WHERE account_id = :account_id) AS observation,
  (SELECT COUNT(*) FROM enrichment WHERE account_id = :account_id) AS enrichment,
  (SELECT COUNT(*) FROM conflict WHERE account_id = :account_id) AS conflict,
  (SELECT COUNT(*) FROM billing_item WHERE account_id = :account_id) AS billing_item,
  (SELECT COUNT(*) FROM moved_in WHERE account_id = :account_id) AS moved_in,
  (SELECT COUNT(*) FROM vat_id_check WHERE account_id = :account_id) AS vat_id_check,
  (SELECT COUNT(*) FROM document_file WHERE account_id = :account_id) AS document_file,
  (SELECT COUNT(*) FROM listing WHERE account_id = :account_id) AS listing;

-- name: audit_foreign_accounts
-- Rows whose account is not there.
SELECT account_id FROM invoice WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM payment WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM allocation WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM refund WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM reversal WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM source WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM listing WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM number_part WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM invoice_line WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM allowance_charge WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM vat_breakdown WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM observation WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM enrichment WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM vat_id_check WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM billing_item WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM document_file WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM moved_in WHERE account_id NOT IN (SELECT account_id FROM account)
UNION ALL SELECT account_id FROM conflict WHERE account_id NOT IN (SELECT account_id FROM account)
LIMIT 1;

-- name: audit_foreign_providers
-- Rows whose provider is not there.
SELECT provider_id FROM account WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM counter WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM series WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM series_jump WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM issued_number WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM period_lock WHERE provider_id NOT IN (SELECT provider_id FROM provider)
UNION ALL SELECT provider_id FROM journal WHERE provider_id NOT IN (SELECT provider_id FROM provider)
LIMIT 1;

-- name: audit_ids
-- What a provider counts on with, and the highest ids that it has given out. Wire ids of recorded documents are their sources'.
SELECT c.next_id, c.next_wire_id,
  (SELECT CAST(COALESCE(MAX(given.id), 0) AS BIGINT) FROM (
    SELECT MAX(account_id) AS id FROM account WHERE account_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(token_id) FROM token WHERE token_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(invoice_id) FROM invoice WHERE invoice_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(payment_id) FROM payment WHERE payment_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(allocation_id) FROM allocation WHERE allocation_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(refund_id) FROM refund WHERE refund_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(reversal_id) FROM reversal WHERE reversal_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(source_id) FROM source WHERE source_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(check_id) FROM vat_id_check WHERE check_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(file_id) FROM document_file WHERE file_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(lock_id) FROM period_lock WHERE lock_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(draft_id) FROM draft WHERE draft_id BETWEEN :low AND :high
    UNION ALL SELECT MAX(run_id) FROM billing_run WHERE run_id BETWEEN :low AND :high
  ) AS given) AS last_id,
  (SELECT CAST(COALESCE(MAX(wire_id), 0) AS BIGINT) FROM invoice WHERE origin = 'issued' AND invoice_id BETWEEN :low AND :high) AS last_wire_id
FROM counter c WHERE c.provider_id = :provider_id;

-- name: period_lock_insert
INSERT INTO period_lock (provider_id, lock_id, locked_through, actor, recorded_at_us)
VALUES (:provider_id, :lock_id, :locked_through, :actor, :recorded_at_us);

-- name: period_lock_last
SELECT * FROM period_lock WHERE provider_id = :provider_id ORDER BY locked_through DESC LIMIT 1;

-- name: period_lock_get
SELECT * FROM period_lock WHERE provider_id = :provider_id AND lock_id = :lock_id;

-- name: period_lock_count
SELECT COUNT(*) AS locks FROM period_lock WHERE provider_id = :provider_id;

-- name: vat_id_check_insert
INSERT INTO vat_id_check (account_id, check_id, vat_id, is_valid, checked_at_us, consultation, name, address, recorded_at_us)
VALUES (:account_id, :check_id, :vat_id, :is_valid, :checked_at_us, :consultation, :name, :address, :recorded_at_us);

-- name: vat_id_check_get
SELECT * FROM vat_id_check WHERE account_id = :account_id AND check_id = :check_id;

-- name: vat_id_check_all
SELECT * FROM vat_id_check WHERE account_id = :account_id ORDER BY check_id;

-- name: document_file_insert
INSERT INTO document_file (account_id, file_id, invoice_id, form, sha256, release, body, recorded_at_us)
VALUES (:account_id, :file_id, :invoice_id, :form, :sha256, :release, :body, :recorded_at_us);

-- name: document_file_kept
SELECT * FROM document_file WHERE account_id = :account_id AND invoice_id = :invoice_id AND form = :form ORDER BY file_id LIMIT 1;

-- name: document_file_made
SELECT * FROM document_file WHERE account_id = :account_id AND invoice_id = :invoice_id AND form = :form AND sha256 = :sha256;

-- name: document_file_get
SELECT * FROM document_file WHERE account_id = :account_id AND file_id = :file_id;

-- name: vat_taxed
-- Issued invoices, credit and debit notes of a provider whose tax point is in a period, a row for each category and rate, in the order of their numbers.
SELECT i.*, v.category, v.rate, v.taxable_amount_minor, v.tax_amount_minor, v.exemption_reason
FROM account a
JOIN invoice i ON i.account_id = a.account_id
JOIN vat_breakdown v ON v.account_id = i.account_id AND v.invoice_id = i.invoice_id
WHERE a.provider_id = :provider_id AND i.origin = 'issued' AND i.type_code IN (380, 381, 383)
  AND COALESCE(i.tax_point_date, i.issue_date) BETWEEN :start AND :end
ORDER BY i.series, i.issue_date, i.series_sequence, i.invoice_id, v.position;

-- name: audit_series
-- missing_from: where the next range begins, at this document or after it, that history lacked. Such ranges end right before the
-- document that tells of them and never overlap, so the nearest is the one that begins first.
SELECT i.series_sequence, i.issue_date, m.invoice_id IS NOT NULL AS is_moved_in,
  MIN(m.missing_from) OVER (
    PARTITION BY SUBSTR(i.issue_date, 1, :year_digits) ORDER BY i.series_sequence, i.invoice_id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
  ) AS missing_from
FROM invoice i JOIN account a ON a.account_id = i.account_id
LEFT JOIN moved_in m ON m.account_id = i.account_id AND m.invoice_id = i.invoice_id
WHERE a.provider_id = :provider_id AND i.series = :series ORDER BY SUBSTR(i.issue_date, 1, :year_digits), i.series_sequence, i.invoice_id;

-- name: overview
-- For operators: documents of providers and accounts; fragments add filters, whose documents, after which one, and the order.
SELECT i.*, p.name AS provider_name, p.settings AS provider_settings, a.reference AS account_reference, l.paid_minor, l.due_minor
FROM invoice i
JOIN account a ON a.account_id = i.account_id
JOIN provider p ON p.provider_id = a.provider_id
JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id
WHERE 1 = 1

-- name: overview_provider
AND p.name = :provider

-- name: overview_account
AND a.reference = :account

-- name: overview_number
AND i.number = :number

-- name: overview_currency
AND i.currency = :currency

-- name: overview_open
AND l.due_minor > 0 AND i.type_code <> 325

-- name: overview_due
-- Where a source told total and paid only, the rest is due.
AND (l.due_minor > 0 OR (l.due_minor IS NULL AND l.paid_minor IS NOT NULL))

-- name: overview_number_folded
-- Few documents bear one number: they are found first, and then whose they are and in which order they come. An index of the
-- order would lead through all documents.
AND l.number_folded = :number_folded

-- name: overview_number_of_provider
AND a.provider_id + 0 = :provider_id

-- name: overview_number_of_account
AND i.account_id + 0 = :account_id

-- name: overview_types
AND i.type_code IN (:type_1, :type_2, :type_3, :type_4)

-- name: overview_from
AND i.issue_date >= :issued_from

-- name: overview_to
AND i.issue_date <= :issued_to

-- name: overview_on
AND i.issue_date <= :on_date

-- name: overview_from_beside
-- Where a list is sorted by something else it walks along that order: a range of dates would have to be sorted whole for each page.
AND i.issue_date || '' >= :issued_from

-- name: overview_to_beside
AND i.issue_date || '' <= :issued_to

-- name: overview_on_beside
AND i.issue_date || '' <= :on_date

-- name: overview_as_of
AND i.recorded_at_us <= :as_of_us

-- name: overview_account_id
AND i.account_id = :account_id

-- name: overview_provider_ids
-- Ids of a provider are a range: what a list by id walks along.
AND i.invoice_id >= :provider_id * 10000000000 AND i.invoice_id < (:provider_id + 1) * 10000000000

-- name: overview_provider_id
-- As the indexes by date and by number begin.
AND (i.invoice_id / 10000000000) = :provider_id

-- name: overview_after_id
AND i.invoice_id > :after_id

-- name: overview_before_id
AND i.invoice_id < :after_id

-- name: overview_after_issue_date
AND (i.issue_date, i.invoice_id) > (:after_term, :after_id)

-- name: overview_before_issue_date
AND (i.issue_date, i.invoice_id) < (:after_term, :after_id)

-- name: overview_after_number
AND (i.number, i.invoice_id) > (:after_term, :after_id)

-- name: overview_before_number
AND (i.number, i.invoice_id) < (:after_term, :after_id)

-- name: overview_by_id
ORDER BY i.invoice_id LIMIT :limit;

-- name: overview_by_id_descending
ORDER BY i.invoice_id DESC LIMIT :limit;

-- name: overview_by_issue_date
ORDER BY i.issue_date, i.invoice_id LIMIT :limit;

-- name: overview_by_issue_date_descending
ORDER BY i.issue_date DESC, i.invoice_id DESC LIMIT :limit;

-- name: overview_by_number
ORDER BY i.number, i.invoice_id LIMIT :limit;

-- name: overview_by_number_descending
ORDER BY i.number DESC, i.invoice_id DESC LIMIT :limit;

-- name: overview_order
ORDER BY i.created_at_us DESC, i.account_id, i.wire_id DESC LIMIT :limit;

-- name: serve_manager
-- A token that acts for its provider, if it is good.
SELECT * FROM token
WHERE token_hash = :token_hash AND account_id IS NULL AND revoked_at_us IS NULL AND (expires_at_us IS NULL OR expires_at_us > :now_us);

-- name: token_page
SELECT * FROM token WHERE provider_id = :provider_id AND token_id > :after ORDER BY token_id LIMIT :limit;

-- name: token_get
SELECT * FROM token WHERE provider_id = :provider_id AND token_id = :token_id;

-- name: account_page
SELECT * FROM account WHERE provider_id = :provider_id AND account_id > :after ORDER BY account_id LIMIT :limit;

-- name: account_set_buyer
UPDATE account SET buyer = :buyer WHERE account_id = :account_id;

-- name: payment_page
-- Ids of a provider are a range.
SELECT * FROM payment WHERE payment_id > :after AND payment_id < :before ORDER BY payment_id LIMIT :limit;

-- name: payment_page_account
SELECT * FROM payment WHERE account_id = :account_id AND payment_id > :after ORDER BY payment_id LIMIT :limit;

-- name: allocation_of_payment
SELECT * FROM allocation WHERE account_id = :account_id AND payment_id = :payment_id ORDER BY allocation_id;

-- name: refund_of_payment
SELECT * FROM refund WHERE account_id = :account_id AND payment_id = :payment_id ORDER BY refund_id;

-- name: draft_insert
INSERT INTO draft (account_id, draft_id, document, revision, created_at_us, updated_at_us)
VALUES (:account_id, :draft_id, :document, :revision, :created_at_us, :updated_at_us);

-- name: draft_get
SELECT d.* FROM draft d JOIN account a ON a.account_id = d.account_id WHERE d.draft_id = :draft_id AND a.provider_id = :provider_id;

-- name: draft_set
UPDATE draft SET document = :document, revision = :revision, updated_at_us = :updated_at_us WHERE account_id = :account_id AND draft_id = :draft_id;

-- name: draft_delete
DELETE FROM draft WHERE account_id = :account_id AND draft_id = :draft_id;

-- name: draft_page
SELECT d.* FROM draft d JOIN account a ON a.account_id = d.account_id
WHERE a.provider_id = :provider_id AND d.draft_id > :after ORDER BY d.draft_id LIMIT :limit;

-- name: draft_page_account
SELECT d.* FROM draft d JOIN account a ON a.account_id = d.account_id
WHERE a.provider_id = :provider_id AND d.account_id = :account_id AND d.draft_id > :after ORDER BY d.draft_id LIMIT :limit;

-- name: idempotency_claim
-- Waits, on every engine, for a running transaction that has the same key.
INSERT INTO idempotency (provider_id, idempotency_key, fingerprint, status, headers, body, created_at_us)
VALUES (:provider_id, :idempotency_key, :fingerprint, NULL, NULL, NULL, :created_at_us)
ON CONFLICT (provider_id, idempotency_key) DO NOTHING;

-- name: idempotency_get
SELECT * FROM idempotency WHERE provider_id = :provider_id AND idempotency_key = :idempotency_key;

-- name: idempotency_keep
UPDATE idempotency SET status = :status, headers = :headers, body = :body WHERE provider_id = :provider_id AND idempotency_key = :idempotency_key;

-- name: billing_run_insert
INSERT INTO billing_run (provider_id, run_id, state, is_dry_run, actor, item_count, holder, leased_until_us, created_at_us, updated_at_us)
VALUES (:provider_id, :run_id, :state, :is_dry_run, :actor, :item_count, :holder, :leased_until_us, :created_at_us, :updated_at_us);

-- name: billing_run_set
UPDATE billing_run SET state = :state, item_count = :item_count, holder = :holder, leased_until_us = :leased_until_us, updated_at_us = :updated_at_us
WHERE provider_id = :provider_id AND run_id = :run_id;

-- name: billing_run_get
SELECT * FROM billing_run WHERE provider_id = :provider_id AND run_id = :run_id;

-- name: billing_run_page
SELECT * FROM billing_run WHERE provider_id = :provider_id AND state <> 'receiving' AND run_id < :before ORDER BY run_id DESC LIMIT :limit;

-- name: billing_run_waiting
-- Runs to work on that nobody holds, whose holder went away, or whose lease a clock gave that has gone back since by more than the lease's length.
SELECT * FROM billing_run WHERE state IN ('receiving', 'queued', 'checking', 'issuing')
AND (leased_until_us < :now_us OR (state <> 'receiving' AND :now_us < 2 * updated_at_us - leased_until_us)) ORDER BY provider_id, run_id;

-- name: billing_run_delete
DELETE FROM billing_run WHERE provider_id = :provider_id AND run_id = :run_id;

-- name: billing_run_items_delete
DELETE FROM billing_run_item WHERE provider_id = :provider_id AND run_id = :run_id;

-- name: billing_run_item_insert
INSERT INTO billing_run_item (provider_id, run_id, position, body, outcome, invoice_id, number, faults)
VALUES (:provider_id, :run_id, :position, :body, :outcome, NULL, NULL, NULL);

-- name: billing_run_item_set
UPDATE billing_run_item SET outcome = :outcome, invoice_id = :invoice_id, number = :number, faults = :faults
WHERE provider_id = :provider_id AND run_id = :run_id AND position = :position;

-- name: billing_run_item_page
SELECT position, '' AS body, outcome, invoice_id, number, faults FROM billing_run_item
WHERE provider_id = :provider_id AND run_id = :run_id AND position > :after ORDER BY position LIMIT :limit;

-- name: billing_run_item_page_outcome
SELECT position, '' AS body, outcome, invoice_id, number, faults FROM billing_run_item
WHERE provider_id = :provider_id AND run_id = :run_id AND outcome = :outcome AND position > :after ORDER BY position LIMIT :limit;

-- name: billing_run_item_lengths
SELECT LENGTH(body) AS length FROM billing_run_item WHERE provider_id = :provider_id AND run_id = :run_id AND outcome = :outcome
ORDER BY position LIMIT :limit;

-- name: billing_run_item_batch
SELECT * FROM billing_run_item WHERE provider_id = :provider_id AND run_id = :run_id AND outcome = :outcome ORDER BY position LIMIT :limit;

-- name: billing_run_counts
SELECT outcome, COUNT(*) AS items FROM billing_run_item WHERE provider_id = :provider_id AND run_id = :run_id GROUP BY outcome;

-- name: billing_run_unfinished
-- Runs that wait or are worked on, and what has become of their items.
SELECT r.provider_id, r.run_id, r.state, i.outcome, COUNT(*) AS items
FROM billing_run r JOIN billing_run_item i ON i.provider_id = r.provider_id AND i.run_id = r.run_id
WHERE r.state IN ('queued', 'checking', 'issuing')
GROUP BY r.provider_id, r.run_id, r.state, i.outcome;

-- name: plain_odd
-- Entries from :first to :last about documents and payments on which more hangs than a quick look takes in.
SELECT j.sequence FROM journal j
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND (
  EXISTS (SELECT 1 FROM allowance_charge ac WHERE ac.account_id = j.account_id AND ac.invoice_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM enrichment e WHERE e.account_id = j.account_id AND e.invoice_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM conflict c WHERE c.account_id = j.account_id AND c.invoice_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM allocation al WHERE al.account_id = j.account_id AND al.credit_note_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM refund rf WHERE rf.account_id = j.account_id AND rf.credit_note_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM refund rf WHERE rf.account_id = j.account_id AND rf.payment_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM reversal rv WHERE rv.account_id = j.account_id AND rv.payment_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM payment p WHERE p.account_id = j.account_id AND p.pro_forma_id = j.subject_id)
  OR EXISTS (SELECT 1 FROM invoice made WHERE made.account_id = j.account_id AND made.pro_forma_id = j.subject_id)
);

-- name: plain_documents
-- Documents that entries from :first to :last tell of, with their standings and what else has one row for each.
SELECT j.sequence, i.account_id, i.invoice_id, i.wire_id, i.source_wire_id, i.origin, i.type_code, i.source_type, i.series, i.series_sequence, i.number, i.created_at_us,
  i.issue_date, i.currency, i.price_basis, i.seller, i.buyer, i.due_date, i.tax_point_date, i.period_start, i.period_end, i.line_total_minor,
  i.allowance_total_minor, i.charge_total_minor, i.total_without_vat_minor, i.vat_total_minor, i.total_with_vat_minor, i.vat_rate, i.line_count,
  i.breakdown_count, i.preceding_number, i.preceding_issue_date, i.preceding_invoice_id, i.order_ids, i.note, i.payment_terms, i.override_reason,
  i.tax_country, i.pro_forma_id, i.recorded_at_us,
  l.ordinal, l.created_at_us, l.wire_id, l.number_folded, l.paid_minor, l.due_minor, l.dialect_version, l.item, l.single,
  b.period, b.product, b.recorded_at_us, m.missing_from, m.payment_count, m.recorded_at_us, n.number
FROM journal j
JOIN invoice i ON i.account_id = j.account_id AND i.invoice_id = j.subject_id
JOIN listing l ON l.account_id = i.account_id AND l.invoice_id = i.invoice_id
LEFT JOIN billing_item b ON b.account_id = i.account_id AND b.invoice_id = i.invoice_id
LEFT JOIN moved_in m ON m.account_id = i.account_id AND m.invoice_id = i.invoice_id
LEFT JOIN issued_number n ON n.provider_id = j.provider_id AND n.series = i.series AND n.number = i.number
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND j.event IN ('invoice.issued', 'invoice.moved-in', 'invoice.recorded')
ORDER BY j.sequence;

-- name: plain_lines
SELECT j.sequence, il.line_number, il.name, il.quantity, il.unit_code, il.unit_price, il.line_total_minor, il.net_amount_minor, il.vat_category, il.vat_rate,
  il.item_id, il.period_start, il.period_end, il.order_id
FROM journal j JOIN invoice_line il ON il.account_id = j.account_id AND il.invoice_id = j.subject_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last
ORDER BY j.sequence, il.line_number;

-- name: plain_breakdowns
SELECT j.sequence, v.position, v.category, v.rate, v.taxable_amount_minor, v.tax_amount_minor, v.exemption_reason
FROM journal j JOIN vat_breakdown v ON v.account_id = j.account_id AND v.invoice_id = j.subject_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last
ORDER BY j.sequence, v.position;

-- name: plain_sources
SELECT j.sequence, j.recorded_at_us, s.source_id, s.kind, s.digest, s.body, s.seen_at_us, s.recorded_at_us,
  o.source_id, o.seen_at_us, o.recorded_at_us, o.paid_minor, o.due_minor, o.settlements
FROM journal j
JOIN source s ON s.account_id = j.account_id AND s.invoice_id = j.subject_id
LEFT JOIN observation o ON o.account_id = s.account_id AND o.invoice_id = s.invoice_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND j.event = 'invoice.recorded'
ORDER BY j.sequence;

-- name: plain_settlements
-- An entry's own are sorted by whoever asks, so that they go along the index by document.
SELECT j.sequence, al.allocation_id AS place, al.amount_minor, COALESCE(p.paid_on, al.allocated_on) AS paid_on
FROM journal j
JOIN allocation al ON al.account_id = j.account_id AND al.invoice_id = j.subject_id
LEFT JOIN payment p ON p.account_id = al.account_id AND p.payment_id = al.payment_id
LEFT JOIN reversal rv ON rv.account_id = al.account_id AND rv.payment_id = al.payment_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND rv.payment_id IS NULL
ORDER BY j.sequence;

-- name: plain_payments
SELECT j.sequence, p.account_id, p.payment_id, p.amount_minor, p.currency, p.paid_on, p.reference, p.pro_forma_id, p.recorded_at_us,
  CAST(p.amount_minor - COALESCE((
    SELECT SUM(al.amount_minor) FROM allocation al WHERE al.account_id = p.account_id AND al.payment_id = p.payment_id
  ), 0) AS BIGINT) AS left_minor
FROM journal j JOIN payment p ON p.account_id = j.account_id AND p.payment_id = j.subject_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND j.event = 'payment.recorded';

-- name: plain_allocations
SELECT j.sequence, 0 AS left_minor, al.account_id, al.allocation_id, al.invoice_id, al.payment_id, al.credit_note_id, al.amount_minor, al.allocated_on, al.recorded_at_us
FROM journal j JOIN allocation al ON al.account_id = j.account_id AND al.allocation_id = j.subject_id
WHERE j.provider_id = :provider_id AND j.sequence BETWEEN :first AND :last AND j.event IN ('payment.allocated', 'credit.allocated');
