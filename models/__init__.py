"""Models that come with salbench, as plugins like any other package's."""
