"""What docs/performance.md rests on. Needs Linux, whose /proc tells memory and processor time."""
