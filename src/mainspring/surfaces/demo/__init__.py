"""The demonstration: the whole loop once around, as a user's program over the public client."""
