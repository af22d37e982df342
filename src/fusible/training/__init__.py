"""The training loop, early stopping, and what feeds it."""
