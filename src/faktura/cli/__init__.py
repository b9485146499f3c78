"""The command line: options in, tables or JSON out. Every command is one use case."""
