-- An account's list in its order, with the numbers in the index: one pass over it finds what a text occurs in, wherever the rows lie.
-- `ordinal + 0`, for a planner that would rather take the index of ordinals and read every row.
DROP INDEX listing_order;
CREATE INDEX listing_order ON listing (account_id, created_at_us, wire_id, number_folded) WHERE (ordinal + 0) IS NOT NULL;
-- Where texts occur in numbers: whoever contains a text has a part that begins with it. Derived, as `listing` is: each listed document
-- of an account with more than 2000 of them has its number from each place on, down to three characters; one whose number is longer
-- than 64 characters has an empty part instead, and is compared itself.
CREATE TABLE number_part (
  account_id BIGINT NOT NULL,
  part TEXT NOT NULL,
  created_at_us BIGINT NOT NULL,
  wire_id BIGINT NOT NULL,
  PRIMARY KEY (account_id, part, created_at_us, wire_id)
) WITHOUT ROWID;
INSERT INTO number_part (account_id, part, created_at_us, wire_id)
WITH RECURSIVE place (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM place WHERE n < 62)
SELECT l.account_id, CASE WHEN LENGTH(l.number_folded) > 64 THEN '' ELSE SUBSTR(l.number_folded, p.n) END, l.created_at_us, l.wire_id
FROM account a
JOIN listing l ON l.account_id = a.account_id AND (l.ordinal + 0) IS NOT NULL
JOIN place p ON p.n <= CASE WHEN LENGTH(l.number_folded) > 64 THEN 1 ELSE LENGTH(l.number_folded) - 2 END
WHERE a.last_ordinal - a.first_ordinal + 1 > 2000
ORDER BY 1, 2, 3, 4;
