"""The pages that people see: asking, watching and collecting for users; the whole flow for operators."""
