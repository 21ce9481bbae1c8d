"""A function that cannot be imported."""

raise ImportError("no module named nowhere")
