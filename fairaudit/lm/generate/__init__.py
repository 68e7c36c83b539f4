"""What a language model writes when it goes on from prompts, and how that is scored."""
