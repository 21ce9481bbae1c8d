"""Upstreams: what answers a request. One package a wire format; a provider is a row of data."""
