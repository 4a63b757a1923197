import hashlib
from pathlib import Path

import pytest

from rds_alembic.assets import rds_ca
from rds_alembic.assets.rds_ca import ROOTS, refresh
from rds_alembic.errors import RdsAlembicError


def test_twenty_seven_regions_are_covered_by_three_roots_each() -> None:
    regions = rds_ca.covered_regions()
    assert len(regions) == 27
    for region in regions:
        found = refresh.regional_roots(rds_ca.roots_of(region).read_text())
        keys = [f"Amazon RDS {region} Root CA {key} G1" for key in ("ECC384", "RSA2048", "RSA4096")]
        assert sorted(found[region]) == keys


def test_the_copy_is_what_its_digests_say() -> None:
    digests = dict(line.split()[::-1] for line in (ROOTS / "SHA256SUMS").read_text().splitlines())
    assert digests == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in ROOTS.glob("*.pem")}


def test_refreshing_from_the_same_certificates_changes_nothing(tmp_path: Path) -> None:
    bundle = "".join(rds_ca.roots_of(region).read_text() for region in rds_ca.covered_regions())
    refresh.write(refresh.regional_roots(bundle), folder=tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in ROOTS.iterdir()
    }


def test_refreshing_removes_the_region_that_has_no_roots_any_more(tmp_path: Path) -> None:
    (tmp_path / "mars-north-1.pem").touch()
    refresh.write(refresh.regional_roots(rds_ca.roots_of("eu-west-1").read_text()), folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "eu-west-1.pem"]


def test_refreshing_from_nothing_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "eu-west-1.pem").touch()
    with pytest.raises(RdsAlembicError, match="no current root of RDS"):
        refresh.write({}, folder=tmp_path)
    assert (tmp_path / "eu-west-1.pem").exists()
