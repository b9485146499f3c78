"""The ledger's tables: named statements, rows <-> domain, thin drivers."""
