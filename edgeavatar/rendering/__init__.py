"""Mouth renderers: a person's geometry, the warp, and the modelled interior of the mouth."""
