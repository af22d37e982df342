"""Search in a knowledge graph by meaning: what a question names, who may answer it, and what supports that."""
