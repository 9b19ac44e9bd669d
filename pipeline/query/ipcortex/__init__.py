"""ipcortex' call reports under `/rest`: translation only."""
