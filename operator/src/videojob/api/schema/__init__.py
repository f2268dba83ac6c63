"""From the pydantic models to the CustomResourceDefinition and its reference page."""
