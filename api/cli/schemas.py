"""The command schema: JSON Schema of the files that a TD writes."""

from __future__ import annotations

import click

from gitstore.format.json_schema import FILES, schema_text


@click.command()
@click.argument("kind", type=click.Choice(list(FILES)))
def schema(kind: str) -> None:
    """Print the JSON Schema of meta.yaml, of a software file, or of withdrawn.yaml.

    A service has the same at /schemas/meta.json, and so on. `init`, `import` and `new` set up
    Visual Studio Code with it.
    """
    click.echo(schema_text(kind), nl=False)
