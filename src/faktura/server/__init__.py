"""The HTTP edge: turns requests into queries of a dialect and back. Async lives only here."""
