"""The recipes as data: each release of each kind is one that its pipeline runs as it is written."""

import pytest

from shared.pipeline_files.ppr import Kind, Recipe, check_release, find_recipe
from shared.pipeline_files.ppr.recipes import all_recipes
from shared.pipeline_files.ppr.tasks import Span, casa_numbers, known_tasks

RECIPES = [recipe for recipes in all_recipes().values() for recipe in recipes]
CASA_OF_EVERY_CYCLE = (
    "5.1.1-5",
    "5.4.0-70",
    "5.6.1-8",
    "6.1.1-15",
    "6.2.1-7",
    "6.4.1-12",
    "6.5.4-9",
    "6.6.1-17",
    "6.6.6-17",
)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.kind}-{recipe.casa}")
def test_a_recipe_has_only_what_its_release_knows(recipe: Recipe) -> None:
    check_release(recipe.procedure(), recipe.casa)


@pytest.mark.parametrize("casa", CASA_OF_EVERY_CYCLE)
@pytest.mark.parametrize("kind", Kind)
def test_whatever_cycle_made_a_calibration_its_recipe_is_one_that_its_pipeline_knows(kind: Kind, casa: str) -> None:
    if kind is Kind.SD_RESTORE and casa.startswith("5.1"):
        assert not known_tasks()["hsd_restoredata"].span.covers(casa)
        return
    check_release(find_recipe(kind, casa).procedure(), casa)


@pytest.mark.parametrize("kind", Kind)
def test_releases_stand_in_order(kind: Kind) -> None:
    versions = [casa_numbers(recipe.casa) for recipe in all_recipes()[kind]]

    assert versions == sorted(set(versions))


def test_choices_are_parameters_of_their_tasks() -> None:
    for recipe in RECIPES:
        for task, keywords in recipe.choices.items():
            known_tasks()[task].check(keywords, recipe.casa)


@pytest.mark.parametrize(("casa", "first"), [("5.1.1-5", "5.1"), ("6.1.1-15", "5.6"), ("6.7.0.31", "6.6.6")])
def test_the_newest_release_that_is_not_newer_is_taken(casa: str, first: str) -> None:
    assert find_recipe(Kind.CALIMAGE, casa).casa == first


def test_what_restores_begins_with_a_restore_from_rawdata() -> None:
    for recipe in RECIPES:
        first = recipe.procedure().commands[0]
        places = [(each.keyword, each.value) for each in first.parameters]
        assert (places == [("copytoraw", False)]) is recipe.kind.needs_calibration


def test_the_old_layout_is_a_matter_of_one_parameter() -> None:
    old, new = (find_recipe(Kind.IMAGE, "6.2").procedure(copytoraw=value) for value in (True, False))

    assert old.commands[0].parameters[0].value is True
    assert old.commands[1:] == new.commands[1:]


@pytest.mark.parametrize(
    ("since", "until", "covered"),
    [(None, None, True), ("6.2", None, True), ("6.2.2", None, False), (None, "6.2.1", False), (None, "6.5", True)],
)
def test_a_span_begins_with_its_first_and_ends_before_its_last_release(
    since: str | None, until: str | None, covered: bool
) -> None:
    assert Span(since=since, until=until).covers("6.2.1-7") is covered
