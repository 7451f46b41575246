"""arkworker beside the published library and the limit of the machine; `python -m benchmarks` is `make bench`."""
