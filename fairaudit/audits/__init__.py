"""One module per audited task: each says what it counts in one record."""
