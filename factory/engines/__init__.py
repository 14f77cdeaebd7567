"""The engines that come with Tuneworks."""
