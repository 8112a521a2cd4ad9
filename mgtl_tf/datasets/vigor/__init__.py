"""VIGOR: overlapping aerial images, of which a panorama stands in four."""
