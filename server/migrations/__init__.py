"""The schema's history. Each step is tested with data."""
