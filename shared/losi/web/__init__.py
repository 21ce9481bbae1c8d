"""The HTTP face of Losi API: the only code that knows FastAPI."""
