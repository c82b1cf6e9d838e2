"""What is measured: time, memory, energy, streams, and under which conditions."""
