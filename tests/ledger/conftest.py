"""Ledgers behave alike on every engine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine
