"""salbench."""
