"""What a request costs: `make bench` measures ours, `make bench-peers` ours beside its peers."""
