-- What was handed out as a document's file. Of XML the bytes are kept, and served from here for good; a PDF is made again when it is
-- asked for, so of it only the digest and the release that made it are kept, a row for each digest.
CREATE TABLE document_file (
  account_id BIGINT NOT NULL,
  file_id BIGINT NOT NULL,
  invoice_id BIGINT NOT NULL,
  form TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  release TEXT NOT NULL,
  body BLOB,
  recorded_at_us BIGINT NOT NULL,
  PRIMARY KEY (account_id, file_id)
);
CREATE UNIQUE INDEX document_file_of_invoice ON document_file (account_id, invoice_id, form, sha256);
CREATE INDEX document_file_by_id ON document_file (file_id);
