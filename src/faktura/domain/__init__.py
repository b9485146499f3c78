"""Pure values and rules of invoicing: no clock, no storage, no wire."""
