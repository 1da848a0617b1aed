"""What every built-in model owes to its reader."""

import pytest

from replica import Status
from replica.registry import built_in_models

MODELS = built_in_models()


@pytest.mark.parametrize("name", MODELS)
def test_declared_with_its_source_and_derived(name):
    model = MODELS[name]
    assert model.title
    assert any(character.isdigit() for character in model.reference), "a year or a number"
    assert all(parameter.doc for parameter in model.parameters.values())
    assert model.saddle_point().unknowns


@pytest.mark.parametrize("name", MODELS)
def test_solved_at_its_defaults(name):
    """A limit (separable data) is an answer too."""
    assert MODELS[name].solve(throw=False).status in (Status.CONVERGED, Status.AT_BOUNDARY)
