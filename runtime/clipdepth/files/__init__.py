"""Files: written whole or not at all, claimed by one writer, read with care."""
