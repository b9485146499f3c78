-- Lists of an account or a provider by date, and of a provider by number, are ranges of an index. The ids of a provider are those
-- that divided by 10000000000 give its own id.
CREATE INDEX invoice_account_date ON invoice (account_id, issue_date, invoice_id);
CREATE INDEX invoice_provider_date ON invoice ((invoice_id / 10000000000), issue_date, invoice_id);
CREATE INDEX invoice_provider_number ON invoice ((invoice_id / 10000000000), number, invoice_id);
-- A document is found by its number in any case.
CREATE INDEX listing_number ON listing (number_folded, invoice_id);
