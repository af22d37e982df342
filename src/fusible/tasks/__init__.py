"""The composers: what users ask for, built from the parts of the other rooms."""
