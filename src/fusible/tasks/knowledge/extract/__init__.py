"""The trained extractor: mentions and relations of texts, learned from sentences with their triples."""
