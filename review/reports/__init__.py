"""The reports of the lint and the plan: text, Markdown, JSON, annotations of GitHub, SARIF."""
