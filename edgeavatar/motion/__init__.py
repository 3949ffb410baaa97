"""Mouth motion from phoneme times and from sound, and the idle motion of a head."""
