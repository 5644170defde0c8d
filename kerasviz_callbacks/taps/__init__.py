"""How a model is read: find layers, note what they put out, take weights and scores. Knows nothing of how it looks.

`layers` (names and paths) -> `watching` (noting outputs) -> `scores` (what is explained) -> `reader` (the pass);
`weights` needs no pass.
"""
