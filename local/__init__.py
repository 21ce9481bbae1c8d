"""Running Losi API on one machine: `make run`, and `make sam-local`."""
