"""South, the scene of that group: sand, and oranges on it."""

import world

world.settle(name="South", other="North", fruit="oranges", residents=["Dandelion", "Clover", "Pipkin"])
