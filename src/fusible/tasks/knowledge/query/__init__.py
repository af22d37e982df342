"""Queries over several hops: read, joined exactly, or answered by chances of edges."""
