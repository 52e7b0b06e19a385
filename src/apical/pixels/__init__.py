"""What is done to pixels on their way into a dataset: finding the sector, fitting, rasterising contours."""
