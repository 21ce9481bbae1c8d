"""Providers: what answers a chat completion. One module a wire format, one row a vendor."""
