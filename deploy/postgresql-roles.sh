#!/bin/sh
# Makes the roles and the database, once, as the administrator. The passwords come from the environment; psql quotes them.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set owner_password="$OWNER_PASSWORD" --set server_password="$SERVER_PASSWORD" <<'SQL'
-- Who owns the tables and migrates them. It needs no right to make roles: the reader is made here.
CREATE ROLE faktura_owner LOGIN PASSWORD :'owner_password';
-- Who serves: neither owner nor superuser; `faktura migrate` gives it what it needs.
CREATE ROLE faktura_server LOGIN PASSWORD :'server_password';
-- As whom the provider APIs read: row-level security shows it one token's account. Nobody logs in as it.
CREATE ROLE faktura_reader NOLOGIN;
GRANT faktura_reader TO faktura_server;
-- Text sorts by code point in the ledger's own columns; the locale of the database changes nothing in it, and C never changes with the system.
CREATE DATABASE faktura OWNER faktura_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
-- Any role of the server may connect to any database unless told otherwise.
REVOKE ALL ON DATABASE faktura FROM PUBLIC;
GRANT CONNECT ON DATABASE faktura TO faktura_server;
SQL
