"""The views, one file each: what a view captures from the model, what it computes, and how it is drawn."""
