"""Horn rules: mined, scored, and shown as reasons."""
