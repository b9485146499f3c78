"""Benchmarks: what faktura costs against its physical limit and against what else a user would pick. `make bench` runs them."""
