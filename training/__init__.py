"""Offline jobs: fit, evaluate, average, export."""
