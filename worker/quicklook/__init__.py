"""A small picture of a delivered GeoTIFF, made in a process of its own, since the file may be anything."""
