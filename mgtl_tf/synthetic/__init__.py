"""A seeded synthetic town, seen from above and from its streets.

settings -> what stands where (terrain, streets, land, buildings, barriers,
vegetation, places; things = its arrays) -> world (one map and its rasters,
drawn on a canvas) -> what a camera sees (appearance = its day; render_aerial;
render_ground with rays, spans, shading; light for both) -> pairs (and the
cars of each view) -> files, drawing (processes, resuming).

Val is map 0, train are maps 1, 2, ...: other streets and houses, the same
palette. Lengths are metres, east and north of a map's south-west corner;
azimuths are radians clockwise from north. An aerial image spans 60 m a side;
the panorama's camera stands 2.2 m above the ground.
"""
