"""Networks: a backbone and a decoder; grey images go in, a logit for each pixel and class comes out."""
