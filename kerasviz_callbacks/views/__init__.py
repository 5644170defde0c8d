"""What each view means: what it needs of the model, which numbers it makes of it, and which picture. One file a view."""
