"""What a person looks at. Widgets are given what to show and say what was asked; none does I/O."""
