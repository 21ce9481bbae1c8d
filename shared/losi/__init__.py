"""Losi API: an OpenAI-compatible LLM platform on AWS Lambda. One package for all functions."""

__version__ = "0.2.0"
