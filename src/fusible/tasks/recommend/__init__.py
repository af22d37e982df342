"""Recommendation: items ranked for users, from what users chose and from whatever is known of items."""
