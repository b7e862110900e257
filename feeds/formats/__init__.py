"""Feed -> bytes, one module for each format. Pure functions: no clock, no I/O."""
