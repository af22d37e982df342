"""Reading tables, inferring schemas, decoding media, splitting, checking, caching."""
