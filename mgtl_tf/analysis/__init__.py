"""What a trained MGTL looks at: its knowledge, its attention, its steps."""
