"""The cellar, scene@1: a process of its own, and another machine if you like."""

import room

room.furnish(
    name="the cellar",
    things=["a lantern"],
    door="scene@0",
    door_looks="stairs up into the light",
)
