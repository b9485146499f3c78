"""Dialects: the only place where a provider's words and shapes appear."""
