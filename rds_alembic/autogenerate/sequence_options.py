"""The options of sequences and identities. Options with their default value are left out."""

from dataclasses import replace

import sqlalchemy as sa

from rds_alembic.autogenerate.catalog import Identity, SequenceOptions

_MAXIMA = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_CLAUSES = {
    "increment": "INCREMENT BY {}",
    "minimum": "MINVALUE {}",
    "maximum": "MAXVALUE {}",
    "start": "START WITH {}",
    "cache": "CACHE {}",
}


def defaults(options: SequenceOptions) -> SequenceOptions:
    """Return the options that PostgreSQL gives a sequence of this type and direction."""
    maximum = _MAXIMA[options.type]
    if options.increment > 0:
        return SequenceOptions(options.type, options.minimum, 1, 1, maximum, cache=1, cycle=False)
    return SequenceOptions(options.type, options.maximum, 1, -maximum - 1, -1, cache=1, cycle=False)


def clauses(options: SequenceOptions, base: SequenceOptions | None = None) -> list[str]:
    """Return the SQL of the options that differ from `base`, or from the defaults."""
    base = base or defaults(options)
    names = [name for name in _CLAUSES if getattr(options, name) != getattr(base, name)]
    cycle = [] if options.cycle == base.cycle else ["CYCLE"] if options.cycle else ["NO CYCLE"]
    return [_CLAUSES[name].format(getattr(options, name)) for name in names] + cycle


def definition(options: SequenceOptions) -> str:
    """Return the options of CREATE SEQUENCE, with a space before each."""
    type_ = [] if options.type == "bigint" else [f"AS {options.type}"]
    return "".join(f" {clause}" for clause in (*type_, *clauses(options)))


def change(options: SequenceOptions, old: SequenceOptions) -> str:
    """Return the options of ALTER SEQUENCE, with a space before each."""
    type_ = [] if options.type == old.type else [f"AS {options.type}"]
    return "".join(f" {clause}" for clause in (*type_, *clauses(options, old)))


def identity_change(options: SequenceOptions, old: SequenceOptions) -> str:
    """Return the options of ALTER COLUMN for an identity, with a space before each."""
    return "".join(f" SET {clause}" for clause in clauses(options, replace(old, type=options.type)))


def identity_of(identity: Identity) -> sa.Identity:
    """Return an identity for a column of a revision."""
    options, base = identity.options, defaults(identity.options)
    return sa.Identity(
        always=identity.always,
        start=options.start if options.start != base.start else None,
        increment=options.increment if options.increment != base.increment else None,
        minvalue=options.minimum if options.minimum != base.minimum else None,
        maxvalue=options.maximum if options.maximum != base.maximum else None,
        cache=options.cache if options.cache != base.cache else None,
        cycle=True if options.cycle else None,
    )
