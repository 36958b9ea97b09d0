"""North, the scene of that group: snow, and berries under it."""

import world

world.settle(name="North", other="South", fruit="berries", residents=["Silver", "Holly", "Bluebell"])
