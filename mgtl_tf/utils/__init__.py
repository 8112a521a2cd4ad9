"""What every room uses: files read in one way, names beside, locks."""
