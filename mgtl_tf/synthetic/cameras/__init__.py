"""What an aerial and a panoramic camera see of a map."""
