"""A graph from texts: triples by rules over a parse or by a trained extractor, and names put together to entities."""
