"""The images that candidates train and serve in: AWS's public ones for scikit-learn and XGBoost."""

from __future__ import annotations

from collections.abc import Mapping

_ACCOUNTS: Mapping[str, str] = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-iso-east-1": "833128469047",
    "us-isob-east-1": "281123927165",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
"""Whose registry has both repositories, by region (SDK 2.257.7: image_uri_config/sklearn.json, xgboost.json)."""

_SUFFIXES: Mapping[str, str] = {
    "cn-north-1": "amazonaws.com.cn",
    "cn-northwest-1": "amazonaws.com.cn",
    "us-iso-east-1": "c2s.ic.gov",
    "us-isob-east-1": "sc2s.sgov.gov",
    "us-isof-east-1": "csp.hci.ic.gov",
    "us-isof-south-1": "csp.hci.ic.gov",
}
"""What hosts end with in regions of other partitions (SDK 2.257.7: utils.ALTERNATE_DOMAINS)."""

_SKLEARN, _XGBOOST = "sagemaker-scikit-learn:1.2-1-cpu-py3", "sagemaker-xgboost:1.7-1"


def image(region: str, *, boosts: bool) -> str:
    """The ImageUri for candidates with or without XGBoost; a region that AWS does not have gets us-east-1's account."""
    account = _ACCOUNTS.get(region, _ACCOUNTS["us-east-1"])
    host = f"{account}.dkr.ecr.{region}.{_SUFFIXES.get(region, 'amazonaws.com')}"
    return f"{host}/{_XGBOOST if boosts else _SKLEARN}"


def images(region: str) -> tuple[str, str]:
    """Both: a search needs the first; without the second, candidates with XGBoost fail and the others go on."""
    return image(region, boosts=False), image(region, boosts=True)
