"""`faktura` and `python -m faktura`."""

from __future__ import annotations

from faktura.cli.app import run


def main() -> None:
    """Run the command line; the exit code is its answer."""
    run()


if __name__ == "__main__":
    main()
