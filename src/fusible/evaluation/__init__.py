"""Metrics, bootstrap intervals, calibration, verdict and cost."""
