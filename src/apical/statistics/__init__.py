"""What may be said of figures: intervals by patient, paired tests, correction for several, agreement."""
