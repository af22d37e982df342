"""Films: their shots, segments, sounds and words, what in them matters, summaries, events, synchrony."""
