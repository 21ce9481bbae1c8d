"""The chat completion use case: admit, route, call a provider, settle."""
