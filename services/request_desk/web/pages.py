"""The few pages that stand outside of the console: what went wrong, said to a person."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    """Return the templates, which escape whatever is put into them."""
    return Environment(
        loader=PackageLoader("services.request_desk.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def render(template: str, **values: object) -> str:
    """Fill a template."""
    return environment().get_template(template).render(**values)
