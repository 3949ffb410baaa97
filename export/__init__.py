"""The toolchain beside the runtime: makes the tables and weights that edgeavatar ships."""
