"""Exports of whole lists: asked for, made in the background, fetched."""
