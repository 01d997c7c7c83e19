"""What all rows stand on."""
