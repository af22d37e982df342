"""Films: their shots, segments, sounds and words, what in them matters, and summaries."""
