"""The heat of a pack: where it is, where it goes, and how soon somebody has to do something."""
