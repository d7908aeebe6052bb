"""Everything that touches hardware, models, network or disk. Nothing else may."""
