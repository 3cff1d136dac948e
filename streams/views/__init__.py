"""Views: sums over what records are; each answers the questions of one subject."""
