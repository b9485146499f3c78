"""Puts the layers together: the only place that opens storage."""
