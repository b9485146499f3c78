"""One module a subject; each has `rows(context)`, which yields the lines of the table."""
