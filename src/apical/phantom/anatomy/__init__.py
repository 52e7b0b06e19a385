"""The heart in each plane, one file an echo view: patient and cycle come in, scatterers and truths go out."""
