"""Video content analysis: shots, segments, importance, summaries, and what is seen and heard when."""
