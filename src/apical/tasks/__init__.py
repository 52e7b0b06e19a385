"""What can be learnt from a few annotated patients: each task's answers, loss, figures, scores and pictures."""
