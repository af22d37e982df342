"""Scorers of triples: how likely a relation holds between two entities, given as vectors."""
