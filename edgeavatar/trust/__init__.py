"""What a viewer and a machine are told of a picture: it was made, not filmed."""
