"""Changes to images that keep what they show: drawn first, applied after, batched, on the batch's own device."""
