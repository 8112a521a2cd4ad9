"""Maps (GeoTIFF, z/x/y tiles) cut into north-up aerial crops."""
