"""Results turned into tables, plots and one self-contained page."""
