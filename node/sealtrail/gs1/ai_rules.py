"""What values of Application Identifiers must keep to beyond characters and length.

Each rule takes one component of a value, whose characters and length are right, and tells whether it holds.

Source: GS1 General Specifications, sections 3 and 7; ISO 3166-1, 4217, 5218, 13616.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable

from sealtrail.gs1.check_digit import has_check_digit

_SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_SET_32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
# From the right: the weight of each character before a check pair.
_PAIR_WEIGHTS = (
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
)  # fmt: skip
_LATITUDE_MAX, _LONGITUDE_MAX = 1_800_000_000, 3_600_000_000
_iban = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{1,30}").fullmatch
_stray_percent = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_digits_4 = re.compile(r"[0-9]{4}").match

# ISO 3166-1, numeric
_COUNTRY_CODES = """
004 008 010 012 016 020 024 028 031 032 036 040 044 048 050 051 052 056 060 064 068 070 072 074 076 084 086
090 092 096 100 104 108 112 116 120 124 132 136 140 144 148 152 156 158 162 166 170 174 175 178 180 184 188
191 192 196 203 204 208 212 214 218 222 226 231 232 233 234 238 239 242 246 248 250 254 258 260 262 266 268
270 275 276 288 292 296 300 304 308 312 316 320 324 328 332 334 336 340 344 348 352 356 360 364 368 372 376
380 384 388 392 398 400 404 408 410 414 417 418 422 426 428 430 434 438 440 442 446 450 454 458 462 466 470
474 478 480 484 492 496 498 499 500 504 508 512 516 520 524 528 531 533 534 535 540 548 554 558 562 566 570
574 578 580 581 583 584 585 586 591 598 600 604 608 612 616 620 624 626 630 634 638 642 643 646 652 654 659
660 662 663 666 670 674 678 682 686 688 690 694 702 703 704 705 706 710 716 724 728 729 732 740 744 748 752
756 760 762 764 768 772 776 780 784 788 792 795 796 798 800 804 807 818 826 831 832 833 834 840 850 854 858
860 862 876 882 887 894
"""
_COUNTRIES = frozenset(_COUNTRY_CODES.split())
# ISO 3166-1, alpha-2
_COUNTRY_CODES_2 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
_COUNTRIES_2 = frozenset(_COUNTRY_CODES_2.split())
# ISO 4217, numeric
_CURRENCY_CODES = """
008 012 032 036 044 048 050 051 052 060 064 068 072 084 090 096 104 108 116 124 132 136 144 152 156 170 174
188 191 192 203 208 214 222 230 232 238 242 262 270 292 320 324 328 332 340 344 348 352 356 360 364 368 376 388
392 396 398 400 404 408 410 414 417 418 422 426 430 434 446 454 458 462 480 484 496 498 504 512 516 524 532
533 548 554 558 566 578 586 590 598 600 604 608 634 643 646 654 682 690 694 702 704 706 710 728 748 752 756 760
764 776 780 784 788 800 807 818 826 834 840 858 860 882 886 901 924 925 926 927 928 929 930 931 932 933 934 936
938 940 941 943 944 946 947 948 949 950 951 952 953 955 956 957 958 959 960 961 962 963 964 965 967 968 969 970
971 972 973 975 976 977 978 979 980 981 984 985 986 990 994 997 999
"""
_CURRENCIES = frozenset(_CURRENCY_CODES.split())


def _is_month(digits: str) -> bool:
    return "01" <= digits <= "12"


def _is_day(digits: str, *, year: int) -> bool:
    month, day = int(digits[:2]), int(digits[2:])
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _day(digits: str) -> bool:
    # in every century that the window of section 7.12 can mean, YY is a leap year if 20YY is one
    return _is_day(digits[2:], year=2000 + int(digits[:2]))


def _day_or_month(digits: str) -> bool:
    return _day(digits) if digits[4:] != "00" else _is_month(digits[2:4])


def _date(digits: str) -> bool:
    return digits[:4] != "0000" and _is_day(digits[4:], year=int(digits[:4]))


def _time(digits: str) -> bool:
    return digits[:2] <= "23" and digits[2:] <= "59"


def _piece(digits: str) -> bool:
    """Piece n of m (AI 8006)."""
    return "00" < digits[:2] <= digits[2:]


def _sequence(text: str) -> bool:
    """n/m, of a birth."""
    return text[1] == "/" and "1" <= text[0] <= text[2] <= "9"


def _is_iban(text: str) -> bool:
    if not _iban(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def _check_pair(text: str) -> bool:
    """The two characters behind a GMN (section 7.9.5)."""
    if len(text) < 3:
        return False
    weighed = zip(reversed(text[:-2]), _PAIR_WEIGHTS, strict=False)
    total = sum(_SET_82.index(c) * weight for c, weight in weighed) % 1021
    return text[-2:] == _SET_32[total >> 5] + _SET_32[total & 31]


RULES: dict[str, Callable[[str], bool]] = {
    "check": has_check_digit,
    # a company prefix has four digits at least
    "prefix": lambda text: _digits_4(text) is not None,
    "prefix1": lambda text: _digits_4(text, 1) is not None,
    "day": _day,
    "day0": _day_or_month,
    "date": _date,
    "time": _time,
    "hour": lambda digits: digits <= "23",
    "minute": lambda digits: digits <= "59",
    "country": _COUNTRIES.__contains__,
    # 999: more than one country
    "processor": lambda digits: digits == "999" or digits in _COUNTRIES,
    "country2": _COUNTRIES_2.__contains__,
    "currency": _CURRENCIES.__contains__,
    "escaped": lambda text: not _stray_percent(text),
    "yesno": lambda digit: digit in "01",
    "zero": lambda digit: digit == "0",
    "positive": lambda digits: int(digits) > 0,
    "winding": lambda digit: digit in "019",
    "minus": lambda text: text == "-",
    "latitude": lambda digits: int(digits) <= _LATITUDE_MAX,
    "longitude": lambda digits: int(digits) <= _LONGITUDE_MAX,
    "importer": lambda text: text.isalnum() or text in "-_",
    # 01 to 10; 80 to 99 are for use within one's own
    "media": lambda digits: "01" <= digits <= "10" or digits >= "80",
    "sex": lambda digit: digit in "0129",
    "sequence": _sequence,
    "piece": _piece,
    "iban": _is_iban,
    "unpadded": lambda digits: digits == "0" or digits[0] != "0",
    "checkpair": _check_pair,
    "lettered": lambda text: not text.isdigit(),
}
