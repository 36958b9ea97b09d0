"""The garden, scene@0: this is where players come in."""

import room

room.furnish(
    name="the garden",
    things=["a carrot", "a watering can"],
    door="scene@1",
    door_looks="a door in the hedge",
)
