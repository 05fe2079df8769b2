"""Pictures of a Program, drawn from its equations."""
