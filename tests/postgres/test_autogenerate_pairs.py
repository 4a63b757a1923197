"""Autogenerate on random pairs of models: a property test.

The suite tries a few pairs. `make test ARGS="tests/postgres/test_autogenerate_pairs.py --hypothesis-profile=thousands"`
tries 2000, and shrinks a pair that fails.
"""

import itertools
from collections.abc import Callable

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings

from tests.postgres.autogenerate.models import models
from tests.postgres.autogenerate.pairs import check_pair

IS_THOROUGH = settings.get_current_profile_name() == "thousands"


def test_revisions_between_random_models_give_the_schema_of_create_all_and_go_back(
    model_connection: sa.Connection, record_property: Callable[[str, object], None]
) -> None:
    count = itertools.count()

    @settings(
        max_examples=2000 if IS_THOROUGH else 5,
        phases=[Phase.generate, Phase.shrink] if IS_THOROUGH else [Phase.generate],
        deadline=None,
        database=None,
        derandomize=not IS_THOROUGH,
        suppress_health_check=list(HealthCheck),
    )
    @given(first=models(), second=models())
    def check(first: sa.MetaData, second: sa.MetaData) -> None:
        next(count)
        check_pair(model_connection, first, second)

    check()
    record_property("tried", f"autogenerate: {next(count)} pairs of models")
