"""What `feedwright check` finds in articles that can be published, and in the feeds that they become."""
