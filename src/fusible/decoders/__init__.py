"""Decoders, from memory to words: one file each; the file's name is the registered name."""
