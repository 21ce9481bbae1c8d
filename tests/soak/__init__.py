"""`make soak`: hundreds of streams for minutes against a started server, with providers that break
and clients that hang up. Nothing may be lost, doubled, or grow (docs/reliability.md).
"""
