"""Data sets on disk, a file each: where the clips, labels, splits and terms are. Decoding is the readers' job."""
