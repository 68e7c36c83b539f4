"""Simulate a hiring process whose biases are known, and write down whom it hires.

Run ``python make.py`` to write ``applicants.csv`` beside this file, and ``python make.py
--truth`` to print what an audit of it should find. Nobody applied for these jobs: applicants,
agencies and score are drawn from the numbers below (see README.md).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
# One of forty that were tried: a draw close to the truth (see README.md).
SEED = 19
APPLICANTS = 7_000
AGENCIES = 120

# --- Who applies: parts of a thousand -----------------------------------------------------

SEXES = {"female": 480, "male": 520}
RACES = {
    "White": 520,
    "Hispanic or Latino": 180,
    "Black or African American": 150,
    "Asian": 100,
    "Native Hawaiian or Pacific Islander": 8,
    "American Indian or Alaska Native": 12,
    "Two or More Races": 30,
}
REGIONS = {"north": 220, "south": 230, "east": 180, "west": 190, "centre": 180}
# Named as fairaudit names the groups of `--bins age=30,40,50`.
AGES = {"(-inf, 30)": 290, "[30, 40)": 270, "[40, 50)": 190, "[50, inf)": 250}
YEARS = {"(-inf, 30)": (20, 30), "[30, 40)": (30, 40), "[40, 50)": (40, 50), "[50, inf)": (50, 67)}
SEX_BLANK, RACE_BLANK = 30, 40  # not stated, whoever it is


class Department(NamedTuple):
    """Where people apply.

    Attributes
    ----------
    women, men : int
        Parts of a thousand women, and men, who apply here.
    qualified : int
        Parts of a thousand applicants who are qualified, whoever they are.
    threshold : int
        Points from which an applicant is hired.
    """

    women: int
    men: int
    qualified: int
    threshold: int


# Simpson's paradox: most women apply where few of either sex are hired. The thresholds are
# such that about as many are hired as are qualified.
DEPARTMENTS = {
    "operations": Department(women=90, men=330, qualified=580, threshold=520),
    "engineering": Department(women=90, men=270, qualified=500, threshold=530),
    "support": Department(women=200, men=190, qualified=380, threshold=540),
    "design": Department(women=280, men=110, qualified=240, threshold=550),
    "research": Department(women=340, men=100, qualified=180, threshold=560),
}

# --- How they are scored: points out of a thousand ----------------------------------------

BASE = 420  # the mean of those who are not qualified
MERIT = 200  # what the qualified have more
NOISE = 80  # standard deviation between applicants
AGENCY_NOISE = 35  # standard deviation between agencies: some score everybody higher

# Bias 1: Black applicants lose points, whether qualified or not.
BLACK_PENALTY = 65
# Bias 2: women from 50 in the north lose more. All other women, people from 50 and people in
# the north gain a little, so that by sex, by age and by region alone the decisions look fair.
SLICE = {"sex": "female", "age": "[50, inf)", "region": "north"}
SLICE_PENALTY = 160
ELSEWHERE = {"sex": 12, "age": 22, "region": 24}

COLUMNS = (
    *("id", "agency", "department", "sex", "race", "age", "region"),
    *("qualified", "score", "hired"),
)
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "sex": tuple(SEXES),
    "race": tuple(RACES),
    "age": tuple(AGES),
    "region": tuple(REGIONS),
    "department": tuple(DEPARTMENTS),
    "qualified": ("no", "yes"),
}

COMPARED = {"sex": ("female", "male"), "race": ("Black or African American", "White")}

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = dict[str, Ints]  # for each attribute, where each applicant's value stands in ATTRIBUTES


# --- Chance -------------------------------------------------------------------------------


class Draws:
    """Random whole numbers, the same on every machine and with every numpy.

    numpy promises that for a bit generator's raw numbers, not for its distributions. Nor is
    there any floating-point number that could be rounded in another way.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, limit: int, size: int) -> Ints:
        """Whole numbers from 0 to `limit` - 1, for a limit below 2**32."""
        top = self._bits.random_raw(size) >> np.uint64(32)
        return ((top * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)

    def bell(self, spread: int, size: int) -> Ints:
        """Whole numbers around 0 with about that standard deviation: see `bell_chances`."""
        total = sum(self.below(spread, size) for _ in range(12))
        return np.asarray(total - 6 * (spread - 1))

    def pick(self, shares: Ints) -> Ints:
        """Draw a place of each row, whose parts of a thousand add up to 1,000."""
        ends = shares.cumsum(axis=1)
        return (self.below(1000, len(shares))[:, None] >= ends).sum(axis=1)


def bell_chances(spread: int) -> Floats:
    """Chances of the sum of twelve numbers from 0 to `spread` - 1, from -6 (`spread` - 1) on.

    Twelve dice have nearly the normal distribution, of standard deviation `spread`.

    >>> chances = bell_chances(100)
    >>> values = np.arange(len(chances)) - 6 * 99
    >>> round(float(chances @ values), 6), round(float(chances @ values**2) ** 0.5, 2)
    (0.0, 99.99)
    """
    chances = np.ones(1)
    for _ in range(12):
        chances = np.convolve(chances, np.full(spread, 1 / spread))
    return chances


# --- The process --------------------------------------------------------------------------


def department_shares(sex: Ints) -> Ints:
    """Parts of a thousand by which somebody of this sex applies to each department."""
    by_sex = {
        "female": [each.women for each in DEPARTMENTS.values()],
        "male": [each.men for each in DEPARTMENTS.values()],
    }
    return np.array([by_sex[name] for name in SEXES])[sex]


def qualified_shares(department: Ints) -> Ints:
    """Parts of a thousand who are not and who are qualified in these departments."""
    share = np.array([each.qualified for each in DEPARTMENTS.values()])[department]
    return np.stack([1000 - share, share], axis=1)


def draw_people(draws: Draws, size: int) -> Codes:
    """Draw who applies where, and who is qualified."""
    people = {
        name: draws.pick(np.tile(np.array(list(shares.values())), (size, 1)))
        for name, shares in (("sex", SEXES), ("race", RACES), ("age", AGES), ("region", REGIONS))
    }
    people["department"] = draws.pick(department_shares(people["sex"]))
    people["qualified"] = draws.pick(qualified_shares(people["department"]))
    return people


def is_value(people: Codes, name: str, value: str) -> Mask:
    """Tell who has this value of an attribute."""
    return people[name] == ATTRIBUTES[name].index(value)


def in_slice(people: Codes) -> Mask:
    """Tell who is in the hidden slice."""
    parts = [is_value(people, name, value) for name, value in SLICE.items()]
    return np.logical_and.reduce(parts)


def points(people: Codes) -> Ints:
    """Score before luck: merit and the two biases.

    Parameters
    ----------
    people : Codes
        Arrays of one shape.

    Returns
    -------
    array of int
        Points out of a thousand.
    """
    score = BASE + MERIT * is_value(people, "qualified", "yes")
    score = score - BLACK_PENALTY * is_value(people, "race", "Black or African American")
    gains = [ELSEWHERE[name] * is_value(people, name, value) for name, value in SLICE.items()]
    return np.where(in_slice(people), score - SLICE_PENALTY, score + sum(gains))


def thresholds(people: Codes) -> Ints:
    """Points that each applicant needs."""
    return np.array([each.threshold for each in DEPARTMENTS.values()])[people["department"]]


# --- The table ----------------------------------------------------------------------------


def draw_ages(draws: Draws, band: Ints) -> Ints:
    """Draw years of age, evenly within each band."""
    low, high = np.array([YEARS[name] for name in AGES]).T
    evenly = [
        draws.below(int(last - first), len(band)) for first, last in zip(low, high, strict=True)
    ]
    return low[band] + np.choose(band, evenly)


def draw_agencies(draws: Draws, size: int) -> Ints:
    """Draw an agency for each applicant; those with high numbers have more applicants."""
    return np.maximum(draws.below(AGENCIES, size), draws.below(AGENCIES, size))


def names(people: Codes, name: str, hidden: Mask | None = None) -> list[str]:
    """Values of an attribute in words; blank where hidden."""
    values = [ATTRIBUTES[name][code] for code in people[name]]
    if hidden is None:
        return values
    return ["" if hide else value for value, hide in zip(values, hidden, strict=True)]


def applicants(seed: int = SEED, size: int = APPLICANTS) -> dict[str, list[str]]:
    """Draw the table.

    Returns
    -------
    dict of str to list of str
        `COLUMNS`, as they are written.
    """
    draws = Draws(seed)
    people = draw_people(draws, size)
    agency = draw_agencies(draws, size)
    luck = draws.bell(AGENCY_NOISE, AGENCIES)[agency] + draws.bell(NOISE, size)
    score = np.clip(points(people) + luck, 0, 1000)
    return {
        "id": [f"{number:04d}" for number in range(1, size + 1)],
        "agency": [f"A{number + 1:03d}" for number in agency],
        "department": names(people, "department"),
        "sex": names(people, "sex", draws.below(1000, size) < SEX_BLANK),
        "race": names(people, "race", draws.below(1000, size) < RACE_BLANK),
        "age": [str(years) for years in draw_ages(draws, people["age"])],
        "region": names(people, "region"),
        "qualified": names(people, "qualified"),
        "score": [f"{each // 1000}.{each % 1000:03d}" for each in score],
        "hired": ["yes" if hire else "no" for hire in score >= thresholds(people)],
    }


def write(table: Mapping[str, list[str]], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(*(table[name] for name in COLUMNS), strict=True))


# --- The truth ----------------------------------------------------------------------------


def every_kind() -> tuple[Codes, Floats]:
    """Every combination of values, and its share of the applicants."""
    sizes = [len(values) for values in ATTRIBUTES.values()]
    codes = np.indices(sizes).reshape(len(sizes), -1)
    kinds = dict(zip(ATTRIBUTES, codes, strict=True))
    everybody = np.arange(codes.shape[1])
    share = np.ones(codes.shape[1])
    for name, shares in (("sex", SEXES), ("race", RACES), ("age", AGES), ("region", REGIONS)):
        share *= np.array(list(shares.values()))[kinds[name]] / 1000
    share *= department_shares(kinds["sex"])[everybody, kinds["department"]] / 1000
    share *= qualified_shares(kinds["department"])[everybody, kinds["qualified"]] / 1000
    return kinds, share


def hiring_chances(kinds: Codes) -> Floats:
    """Chance that points and luck reach the threshold, over all agencies there might be."""
    luck = np.convolve(bell_chances(AGENCY_NOISE), bell_chances(NOISE))
    least = -6 * (AGENCY_NOISE - 1) - 6 * (NOISE - 1)
    at_least = np.append(luck[::-1].cumsum()[::-1], 0)
    needed = thresholds(kinds) - points(kinds)
    return at_least[np.clip(needed - least, 0, len(luck))]


class Truth:
    """What an audit of ever more applicants would come to, from the chances themselves."""

    def __init__(self) -> None:
        self.kinds, self.share = every_kind()
        self.chance = hiring_chances(self.kinds)
        self.everybody = np.ones(len(self.share), dtype=bool)

    def hired(self, who: Mask) -> float:
        """Share of these who are hired."""
        return float(np.average(self.chance[who], weights=self.share[who]))

    def rates(self, who: Mask) -> dict[str, float]:
        """Share of these, of the qualified and of the others among them who are hired."""
        qualified = is_value(self.kinds, "qualified", "yes")
        return {
            "share": float(self.share[who].sum()),
            "selection_rate": self.hired(who),
            "true_positive_rate": self.hired(who & qualified),
            "false_positive_rate": self.hired(who & ~qualified),
        }

    def by(self, name: str) -> dict[str, dict[str, float]]:
        """Rates in each group, with the impact ratio: to the group with the highest rate."""
        values = ATTRIBUTES[name]
        groups = {value: self.rates(is_value(self.kinds, name, value)) for value in values}
        highest = max(rates["selection_rate"] for rates in groups.values())
        for rates in groups.values():
            rates["impact_ratio"] = rates["selection_rate"] / highest
        return groups

    def difference(self, by: str, controls: Sequence[str] = (), among: Mask | None = None) -> float:
        """Selection rate of one group minus another's, at equal values of the controls.

        Without controls it is the crude difference. Else it is the Mantel-Haenszel risk
        difference (Greenland & Robins, Biometrics 41, 1985): the differences in the strata,
        each weighted by ``n1 n0 / (n1 + n0)``.

        Parameters
        ----------
        by : {"sex", "race"}
            Women against men, or Black against White applicants.
        controls : sequence of str
            Attributes whose combinations are the strata.
        among : array of bool, optional
            Whom to look at; otherwise everybody.
        """
        share = self.share if among is None else self.share * among
        sizes = [len(ATTRIBUTES[control]) for control in controls]
        place = np.zeros(len(share), dtype=np.int64)
        for control, size in zip(controls, sizes, strict=True):
            place = place * size + self.kinds[control]
        groups = [is_value(self.kinds, by, value) for value in COMPARED[by]]
        n1, n0 = (np.bincount(place, share * group) for group in groups)
        hired1, hired0 = (np.bincount(place, share * self.chance * group) for group in groups)
        weights = n1 * n0 / (n1 + n0)
        return float(weights @ (hired1 / n1 - hired0 / n0) / weights.sum())

    def differences(self) -> dict[str, float]:
        """Differences in selection rate and, among the qualified, in true positive rate."""
        department, qualified = ("department",), is_value(self.kinds, "qualified", "yes")
        return {
            "sex": self.difference("sex"),
            "sex at equal department": self.difference("sex", department),
            "sex at equal department and qualification": self.difference(
                "sex", ("department", "qualified")
            ),
            "sex, qualified": self.difference("sex", among=qualified),
            "sex at equal department, qualified": self.difference("sex", department, qualified),
            "race": self.difference("race"),
            "race at equal department": self.difference("race", department),
            "race, qualified": self.difference("race", among=qualified),
            "race at equal department, qualified": self.difference("race", department, qualified),
        }

    def sexes_in_departments(self) -> dict[str, dict[str, float]]:
        """Selection rate of women and of men in each department."""
        return {
            place: {
                sex: self.hired(
                    is_value(self.kinds, "department", place) & is_value(self.kinds, "sex", sex)
                )
                for sex in SEXES
            }
            for place in DEPARTMENTS
        }

    def hidden_slice(self) -> dict[str, float]:
        """Size of the hidden slice, and wrong rejections among the qualified in and outside it."""
        hidden = in_slice(self.kinds)
        inside, outside = self.rates(hidden), self.rates(~hidden)
        return {
            "share": inside["share"],
            "false_negative_rate": 1 - inside["true_positive_rate"],
            "false_negative_rate outside": 1 - outside["true_positive_rate"],
        }


def truth() -> dict[str, Any]:
    """What an audit should find, computed from the constants without drawing anybody.

    The rates are over all agencies there might be; those of the table are a draw of them.

    Returns
    -------
    dict
        ``all`` and each attribute (each group's share of the applicants, its selection rate,
        true and false positive rate and impact ratio); ``departments`` (selection rates of the
        sexes in them); ``differences`` (`Truth.differences`); ``slice`` (`Truth.hidden_slice`).
    """
    known = Truth()
    return {
        "all": known.rates(known.everybody),
        **{name: known.by(name) for name in ATTRIBUTES if name != "qualified"},
        "departments": known.sexes_in_departments(),
        "differences": known.differences(),
        "slice": known.hidden_slice(),
    }


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Make the table (see README.md).")
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE,
        metavar="FOLDER",
        help="where to write applicants.csv; default: beside this script",
    )
    parser.add_argument("--truth", action="store_true", help="print what an audit should find")
    return parser.parse_args()


def main() -> int:
    """Run the script and return its exit code."""
    arguments = parse_arguments()
    if arguments.truth:
        print(json.dumps(truth(), indent=2))
        return 0
    if not arguments.output.is_dir():
        print(f"make.py: no such folder: {arguments.output}", file=sys.stderr)
        return 2
    write(applicants(), arguments.output / "applicants.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
