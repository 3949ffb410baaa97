"""Words with times become subtitles: cues, files of them, and letters in the picture."""
