"""Real clients of OpenAI's API against this one: `make clients`, outside CI."""
