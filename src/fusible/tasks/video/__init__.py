"""Video: shots, events, summaries, and whether sound and picture run together."""
