"""Pages for a browser, each whole in itself: nothing is asked of any other place."""
