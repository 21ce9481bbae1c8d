"""What happened: one line of JSON for each request, which CloudWatch also reads as its metrics.

docs/observability.md has the fields, the metrics and what they cost.
"""
