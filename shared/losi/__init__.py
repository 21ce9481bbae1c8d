"""Losi API: an OpenAI-compatible LLM platform on AWS Lambda. One package for all functions."""
