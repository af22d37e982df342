"""End-to-end networks and heads: one file each; the file's name is the registered name."""
