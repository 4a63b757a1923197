import hashlib
from pathlib import Path

import pytest

from rds_alembic.assets.rds_ca import ROOTS, covered_regions, refresh, root_certificates
from rds_alembic.errors import RdsAlembicError


def test_twenty_seven_regions_have_three_root_certificates_each() -> None:
    regions = covered_regions()
    assert len(regions) == 27
    for region in regions:
        roots = refresh.regional_roots(root_certificates(region).read_text())
        names = [f"Amazon RDS {region} Root CA {key} G1" for key in ("ECC384", "RSA2048", "RSA4096")]
        assert sorted(roots[region]) == names


def test_the_files_have_the_recorded_digests() -> None:
    digests = dict(line.split()[::-1] for line in (ROOTS / "SHA256SUMS").read_text().splitlines())
    assert digests == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in ROOTS.glob("*.pem")}


def test_a_refresh_from_the_same_certificates_changes_nothing(tmp_path: Path) -> None:
    bundle = "".join(root_certificates(region).read_text() for region in covered_regions())
    refresh.write(refresh.regional_roots(bundle), folder=tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in ROOTS.iterdir()
    }


def test_a_refresh_deletes_the_file_of_a_region_without_root_certificates(tmp_path: Path) -> None:
    (tmp_path / "mars-north-1.pem").touch()
    refresh.write(refresh.regional_roots(root_certificates("eu-west-1").read_text()), folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "eu-west-1.pem"]


def test_a_refresh_without_root_certificates_is_rejected_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "eu-west-1.pem").touch()
    with pytest.raises(RdsAlembicError, match="the source must contain a current root certificate of RDS"):
        refresh.write({}, folder=tmp_path)
    assert (tmp_path / "eu-west-1.pem").exists()
