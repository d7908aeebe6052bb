"""The practice's server: stores sealed records that it cannot open. The reader lives beside it."""
