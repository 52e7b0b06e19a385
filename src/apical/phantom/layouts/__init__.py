"""Writers of the public data sets' own on-disk layouts, a file each, named as the source that reads it."""
