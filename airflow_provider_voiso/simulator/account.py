"""The simulated account: its people, queues, codes, campaigns and kinds of interaction."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Family = Literal["voice", "sms", "digital", "lookup"]


class Kind(NamedTuple):
    """One kind of interaction.

    :param request: spelling of the ``type`` parameter
    :param spellings: spellings that records carry
    :param family: decides which fields its records have
    :param weight: percentage of records
    :param rare: spellings that few of its records carry
    """

    request: str
    spellings: tuple[str, ...]
    family: Family
    weight: int
    rare: tuple[str, ...] = ()


class Agent(NamedTuple):
    """A user of the account; ``deleted`` ones are listed apart."""

    id: int
    name: str
    team_id: int
    deleted: bool


class Named(NamedTuple):
    """Anything that has a number and a name: a team, a queue or a campaign."""

    id: int
    name: str


KINDS = (
    Kind("inbound", ("inbound",), "voice", 20),
    Kind("outbound", ("outbound",), "voice", 22),
    Kind("dialer", ("dialer",), "voice", 16, ("campaign",)),
    Kind("click_to_call", ("click_to_call", "click-to-call"), "voice", 7),
    Kind("queue_callback", ("queue_callback",), "voice", 3, ("queue-callback", "callback")),
    Kind("scheduled_callback", ("scheduled_callback",), "voice", 2, ("scheduled-callback",)),
    Kind("HLR_lookup", ("hlr_ookup", "hlr_lookup"), "lookup", 3),
    Kind("outbound_sms", ("outbound SMS", "outbound_sms"), "sms", 10),
    Kind("whatsapp", ("whatsapp",), "digital", 5),
    Kind("web_chat", ("chat",), "digital", 4),
    Kind("instagram", ("instagram",), "digital", 2),
    Kind("facebook", ("facebook",), "digital", 2),
    Kind("telegram", ("telegram",), "digital", 2),
    Kind("viber", ("viber",), "digital", 2),
)
OUTGOING = frozenset({"outbound", "dialer", "click_to_call"})
QUEUED = frozenset({"inbound", "queue_callback"})

TEAMS = (
    Named(1, "Sales"),
    Named(2, "Support; level 1"),
    Named(3, "Поддержка"),
    Named(4, 'Team "Nord", Köln'),
    Named(7, "فريق المبيعات"),
)
_NAMES = (
    "Mike A", "Chandra Agarwal", "Olek's test", "Zoë Müller-Lüdenscheidt", "Łukasz Żółć",
    "Søren Ångström", "李小龍", "山田 太郎", "محمد علي", "דוד כהן", "Иван Петров",
    "Γιώργος Παπαδόπουλος", "O'Brien, Pat", 'Ana "Nina" Silva', "João da Conceição", "Agent;007",
    "Tab\tStop", "Zero\u200bWidth", "👩🏽‍💻 Dev", "नेहा शर्मा", "Mike A", "ßtraße", "e\u0301clair",
    "김민준", "Nguyễn Văn A", "null", "", "Ада Лавлейс", "Robert'); DROP--", "Back\\slash",
)  # fmt: skip
AGENTS = tuple(
    Agent(52_700 + 15 * i, name, TEAMS[i % len(TEAMS)].id, deleted=i % 10 == 9)
    for i, name in enumerate(_NAMES)
)
AGENT_BY_ID = {agent.id: agent for agent in AGENTS}
QUEUES = tuple(
    Named(199 + 2 * i, name)
    for i, name in enumerate(
        (
            "Sales EN",
            "Support DE",
            "Suporte, São Paulo",
            "VIP ⭐",
            "Очередь №1",
            'Night "shift"',
            "الدعم",
            "Billing; late",
        )
    )
)
QUEUE_NAME_BY_ID = {queue.id: queue.name for queue in QUEUES}
CAMPAIGNS = tuple(
    Named(13 + i, f"Campaign {name}")
    for i, name in enumerate(("λ", "Ж", "spring, 2024", "win-back", "ü"))
)
WRAPUP_CODES = {
    "0001": "No answer",
    "0101": "Sale",
    "0102": "Sale; follow-up",
    "0007": "Do not call",
    "1002": "Complaint",
    "1007": "Wrong number",
    "1010": "Rückruf",
    "2000": "Информация",
    "00": "Other",
    "9999": 'Said "no"',
}
LEAD_SOURCES = ("Google ADS", "Facebook", "Referral, partner", "Прямой")
EVENTS = ("answered", "abandoned", "transferred", "conference", "voicemail", "callback_requested")
END_REASONS = ("agent_hangup", "caller_hangup", "normal_clearing", "timeout", "rejected", "system")
DISPOSITIONS: dict[Family, tuple[str, ...]] = {
    "voice": (
        "answered",
        "answered",
        "answered",
        "no_answer",
        "busy",
        "failed",
        "abandoned",
        "No Answer",
    ),
    "sms": ("delivered", "sent", "undelivered", "failed"),
    "digital": ("archived", "archived", "resolved", "missed"),
    "lookup": ("completed", "failed"),
}
OPEN_DISPOSITIONS = ("waiting", "active")
"""Dispositions of conversations that are not over: their end may still move."""
RARE_DISPOSITIONS: dict[Family, tuple[str, ...]] = {
    "voice": (
        "rejected",
        "missed",
        "dialer_abandoned",
        "system_abandoned",
        "answered_by_VM",
        "system_reject",
        "machine_answered",
    ),
    "sms": ("not_sent", "route_unavailable", "not_delivered"),
    "digital": OPEN_DISPOSITIONS,
    "lookup": ("failed",),
}
DESTINATIONS = (
    ("49", "Germany - Other"),
    ("4915", "Germany - Mobile"),
    ("3120", "Netherlands - Amsterdam"),
    ("1555", "USA"),
    ("5511", "Brazil - São Paulo"),
    ("97150", "U.A.E. - Mobile; Etisalat"),
    ("7495", "Россия - Москва"),
)
OWN_NUMBERS = (
    "15557571011",
    "155535189249",
    "31208112500",
    "97123187000",
    "4930187751",
    "18775510000",
    "19712310000",
)


def plain(spelling: str) -> str:
    """Return a spelling without case, spaces, hyphens and underscores, to compare choices."""
    return re.sub(r"[\s_-]", "", spelling).lower()


KINDS_BY_SPELLING = {
    plain(text): kind for kind in KINDS for text in (kind.request, *kind.spellings, *kind.rare)
}


def reference_list(name: str, team_ids: frozenset[int] | None = None) -> list[dict[str, object]]:
    """Return one reference list in the documented item shape.

    :param name: one of ``REFERENCES``
    :param team_ids: teams that the key may see, or None for all; narrows agents as well
    """
    if name == "wrapup_codes":
        return [{"description": text, "code": code} for code, text in WRAPUP_CODES.items()]
    if name in {"agents", "deleted_agents"}:
        return [
            {"id": agent.id, "name": agent.name}
            for agent in AGENTS
            if agent.deleted == (name == "deleted_agents")
            and (team_ids is None or agent.team_id in team_ids)
        ]
    if name == "teams":
        return [{"name": t.name, "id": t.id} for t in TEAMS if team_ids is None or t.id in team_ids]
    return [
        {"id": item.id, "name": item.name} for item in (QUEUES if name == "queues" else CAMPAIGNS)
    ]


REFERENCES = ("queues", "agents", "teams", "wrapup_codes", "campaigns", "deleted_agents")
