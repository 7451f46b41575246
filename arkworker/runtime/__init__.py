"""Everything with an effect: network, database, files, signals, and the life of a worker."""
