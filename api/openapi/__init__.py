"""The description of the API: models, examples, the document. Answers no other request."""
