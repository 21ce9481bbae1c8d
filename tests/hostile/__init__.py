"""Requests that mean harm: the costliest bodies that fit, and anything at all by chance."""
