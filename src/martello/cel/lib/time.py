"""Timestamps and durations: reading, writing, and their accessors."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from martello.cel.lib.operators import (
    FIRST_SECOND,
    LAST_SECOND,
    instant,
    quotient,
    remainder,
    span,
)
from martello.cel.types import DURATION, INT, STRING, TIMESTAMP, Library, Overload
from martello.cel.values import Duration, EvalError, Timestamp

_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,40}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_DURATION: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_OFFSET: Final = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_before(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar, any year."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and day, `days` after 1970-01-01."""
    days += 719468
    era = days // 146097
    of_era = days - era * 146097
    years = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + (3 if shifted < 10 else -9)
    return years + era * 400 + (month <= 2), month, day


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339 text to a timestamp."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise EvalError("this string is no timestamp")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
    longest = 0 if not 1 <= month <= 12 else _MONTHS[month - 1] + (month == 2 and _leap(year))
    if not 1 <= day <= longest or hour > 23 or minute > 59 or second > 59:
        raise EvalError("this string is no timestamp")
    seconds = days_before(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if sign:
        if int(zone_hours) > 24 or int(zone_minutes) > 60:
            raise EvalError("this string is no timestamp")
        shift = int(zone_hours) * 3600 + int(zone_minutes) * 60
        seconds -= shift if sign == "+" else -shift
    nanos = int((fraction or "0").ljust(9, "0")[:9])
    return instant(seconds * 1_000_000_000 + nanos)


def text_of_timestamp(value: Timestamp) -> str:
    """RFC 3339 in UTC, with the shortest fraction."""
    days, rest = divmod(value.seconds, 86400)
    year, month, day = date_of(days)
    fraction = f".{value.nanos:09d}".rstrip("0") if value.nanos else ""
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{fraction}"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}Z"


def parse_duration(text: str) -> Duration:
    """Text such as `1h30m`, `-1.5s` or `0` to a duration."""
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return Duration(0)
    position, nanos = 0, 0
    while position < len(body) and len(body) < 200:
        part = _DURATION.match(body, position)
        if part is None or not (part[1] or part[2]):
            raise EvalError("this string is no duration")
        unit, fraction = _UNITS[part[3]], part[2] or ""
        nanos += int(part[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        position = part.end()
    if not body or position != len(body):
        raise EvalError("this string is no duration")
    return span(-nanos if text[0] == "-" else nanos)


def text_of_duration(value: Duration) -> str:
    """Seconds with `s`, such as `1.5s`; as precise as a double, since cel-go goes through one."""
    seconds = repr(quotient(value.nanos, 10**9) + remainder(value.nanos, 10**9) / 1e9)
    if "e" not in seconds:
        return f"{seconds.removesuffix('.0')}s"
    whole, nanos = divmod(abs(value.nanos), 1_000_000_000)
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    return f"{'-' if value.nanos < 0 else ''}{whole}{fraction}s"


def _offset(value: Timestamp, zone: str) -> int:
    """Seconds east of UTC at an instant, in `+05:30` or a zone of the IANA."""
    if zone in ("", "UTC"):
        return 0
    found = _OFFSET.fullmatch(zone)
    if found:
        seconds = int(found[2]) * 3600 + int(found[3]) * 60
        return -seconds if found[1] == "-" else seconds
    from zoneinfo import ZoneInfo

    try:
        inside = min(max(value.seconds, FIRST_SECOND + 172800), LAST_SECOND - 172800)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=inside)
        shift = moment.astimezone(ZoneInfo(zone)).utcoffset()
    except (KeyError, ValueError, OSError):
        raise EvalError("unknown time zone") from None
    return int(shift.total_seconds()) if shift else 0


def _local(value: Timestamp, zone: str) -> tuple[int, int]:
    return divmod(value.seconds + _offset(value, zone), 86400)


def _year(value: Timestamp, zone: str = "") -> int:
    return date_of(_local(value, zone)[0])[0]


def _month(value: Timestamp, zone: str = "") -> int:
    return date_of(_local(value, zone)[0])[1] - 1


def _date(value: Timestamp, zone: str = "") -> int:
    return date_of(_local(value, zone)[0])[2]


def _day_of_month(value: Timestamp, zone: str = "") -> int:
    return _date(value, zone) - 1


def _day_of_year(value: Timestamp, zone: str = "") -> int:
    days = _local(value, zone)[0]
    return days - days_before(date_of(days)[0], 1, 1)


def _day_of_week(value: Timestamp, zone: str = "") -> int:
    return (_local(value, zone)[0] + 4) % 7


def _hours(value: Timestamp, zone: str = "") -> int:
    return _local(value, zone)[1] // 3600


def _minutes(value: Timestamp, zone: str = "") -> int:
    return _local(value, zone)[1] // 60 % 60


def _seconds(value: Timestamp, zone: str = "") -> int:
    return _local(value, zone)[1] % 60


def _milliseconds(value: Timestamp, zone: str = "") -> int:
    _local(value, zone)
    return value.nanos // 1_000_000


def _whole(value: Duration, unit: int) -> int:
    return abs(value.nanos) // unit * (-1 if value.nanos < 0 else 1)


def _thousandths(value: Duration) -> int:
    return abs(value.nanos) // 1_000_000 % 1000 * (-1 if value.nanos < 0 else 1)


def _from_seconds(value: int) -> Timestamp:
    return instant(value * 1_000_000_000)


def _accessors() -> list[Overload]:
    table: tuple[tuple[str, Any], ...] = (
        ("getFullYear", _year),
        ("getMonth", _month),
        ("getDate", _date),
        ("getDayOfMonth", _day_of_month),
        ("getDayOfYear", _day_of_year),
        ("getDayOfWeek", _day_of_week),
        ("getHours", _hours),
        ("getMinutes", _minutes),
        ("getSeconds", _seconds),
        ("getMilliseconds", _milliseconds),
    )
    made: list[Overload] = []
    for name, function in table:
        for label, params in (("", (TIMESTAMP,)), ("_with_tz", (TIMESTAMP, STRING))):
            made.append(
                Overload(name, f"timestamp_{name}{label}", params, INT, function, member=True)
            )
    units = (
        ("getHours", 3_600_000_000_000),
        ("getMinutes", 60_000_000_000),
        ("getSeconds", 1_000_000_000),
    )
    for name, unit in units:
        made.append(
            Overload(
                name,
                f"duration_{name}",
                (DURATION,),
                INT,
                lambda value, unit=unit: _whole(value, unit),
                member=True,
            )
        )
    made.append(
        Overload(
            "getMilliseconds",
            "duration_getMilliseconds",
            (DURATION,),
            INT,
            _thousandths,
            member=True,
        )
    )
    return made


def _conversions() -> list[Overload]:
    time, length = TIMESTAMP, DURATION
    return [
        Overload("timestamp", "timestamp_to_timestamp", (time,), time, lambda value: value),
        Overload("timestamp", "string_to_timestamp", (STRING,), time, parse_timestamp),
        Overload("timestamp", "int64_to_timestamp", (INT,), time, _from_seconds),
        Overload("duration", "duration_to_duration", (length,), length, lambda value: value),
        Overload("duration", "string_to_duration", (STRING,), length, parse_duration),
        Overload("string", "timestamp_to_string", (time,), STRING, text_of_timestamp),
        Overload("string", "duration_to_string", (length,), STRING, text_of_duration),
        Overload("int", "timestamp_to_int64", (time,), INT, lambda value: value.seconds),
        Overload("int", "duration_to_int64", (length,), INT, lambda value: value.nanos),
    ]


LIBRARY: Final = Library(
    "time",
    (*_conversions(), *_accessors()),
    types={TIMESTAMP.name: TIMESTAMP, DURATION.name: DURATION},
    classes={Timestamp: TIMESTAMP, Duration: DURATION},
)
