"""What is there before anything is made: measures of pictures and sound, and verdicts on them."""
