"""Problems in words: what is wrong, where, with which remedy, and nothing of a secret."""
