"""What leads to a person or opens something: how each kind is written, and how it is masked."""
