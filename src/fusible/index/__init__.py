"""Storing what was encoded on disk, and finding the nearest of it."""
