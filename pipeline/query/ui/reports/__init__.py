"""Reports: what there is, making and changing them, their files."""
