"""Payments: money comes in, settles documents now or later, goes back, or turns out never to have come."""

from __future__ import annotations
