"""Recurrent networks, search and the bundle format."""
