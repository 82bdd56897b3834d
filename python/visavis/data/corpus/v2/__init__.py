"""Version 2 of the corpus: persons with a style, performer v2, dialogues with laughter, and rooms with other sounds.

What is not here (text, curves, visemes, eyes, layout) is shared with version 1, which stays as it was.
"""
