"""What encoders of tests inherit."""


class IdentityInputs:
    """Network inputs that are the images themselves."""

    def ground_input(self, pixels):
        return pixels

    satellite_input = ground_input
