"""What an analysis found, as one HTML page that needs nothing beside itself."""
