"""Channels → legs: what PBXs tell of their channels, told of the parties' legs before the fold reads them."""
