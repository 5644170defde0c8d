"""What each view means: what it takes of the model, which numbers it makes of that, which picture. One file each."""
