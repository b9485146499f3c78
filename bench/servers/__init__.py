"""Servers that rows are measured against, each a program of its own."""
