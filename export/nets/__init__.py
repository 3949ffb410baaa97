"""Torch definitions of the nets that this project trains."""
