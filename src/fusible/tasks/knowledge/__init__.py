"""Knowledge graphs: reasoning over them, with structure and whatever else entities have."""
