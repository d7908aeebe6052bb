"""Tests of the benchmarks, on speech made here."""
