"""Networks that carry vectors of entities along the relations of a graph."""
