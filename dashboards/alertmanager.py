"""Alertmanager's configuration: who is told what, and what is held back while the pipeline is blind.

A configuration for each way of sending; they differ in the receivers only. Secrets are read from files.
"""

from __future__ import annotations

from typing import Any, get_args

from dashboards.alerts import ALERTS, Audience
from streams.events import TOPICS

#: The receiver of the alert that always fires: something outside that notices when it stops.
WATCHDOG = "watchdog"
#: An alert is told once more after so long, with the numbers of then.
REPEAT: dict[Audience, str] = {"supervisors": "30m", "program_managers": "4h", "operators": "1h"}
#: Where secrets are; mount or write the files there, readable by Alertmanager alone.
SECRETS = "/etc/alertmanager/secrets"

_TITLE = "{{ .Status | toUpper }}: {{ (index .Alerts 0).Annotations.summary }}{{ if gt (len .Alerts) 1 }} (and more){{ end }}"
_TEXT = (
    "{{ range .Alerts }}{{ .Annotations.description }}\n"
    "<{{ .Annotations.dashboard_url }}|dashboard> · <{{ .Annotations.runbook_url }}|what to do>\n{{ end }}"
)

Json = dict[str, Any]


def plain() -> Json:
    """Routes and receivers without any way of sending: its own web page shows who would be told."""
    return _config({}, {})


def webhook() -> Json:
    """Sends JSON to an address for each audience: pagers, case systems, chat programs."""
    return _config(
        {},
        {
            audience: {
                "webhook_configs": [
                    {
                        "url": f"https://hooks.example/{audience}",
                        "send_resolved": True,
                        "http_config": {"authorization": {"credentials_file": f"{SECRETS}/webhook_token"}},
                    }
                ]
            }
            for audience in get_args(Audience)
        },
    )


def email() -> Json:
    """Sends mail over an SMTP server with STARTTLS."""
    server = {
        "smtp_smarthost": "smtp.example:587",
        "smtp_from": "carewatch@city.example",
        "smtp_auth_username": "carewatch",
        "smtp_auth_password_file": f"{SECRETS}/smtp_password",
        "smtp_require_tls": True,
    }
    return _config(
        server,
        {
            audience: {
                "email_configs": [
                    {
                        "to": f"{audience.replace('_', '-')}@city.example",
                        "send_resolved": True,
                        "headers": {"Subject": _TITLE},
                    }
                ]
            }
            for audience in get_args(Audience)
        },
    )


def slack() -> Json:
    """Writes to a Slack channel for each audience."""
    return _config(
        {"slack_api_url_file": f"{SECRETS}/slack_url"},
        {
            audience: {
                "slack_configs": [
                    {
                        "channel": f"#care-{audience.replace('_', '-')}",
                        "send_resolved": True,
                        "title": _TITLE,
                        "title_link": "{{ (index .Alerts 0).Annotations.dashboard_url }}",
                        "text": _TEXT,
                    }
                ]
            }
            for audience in get_args(Audience)
        },
    )


def _config(server: Json, receivers: dict[str, Json]) -> Json:
    names = (*get_args(Audience), WATCHDOG)
    return {
        **({"global": server} if server else {}),
        "route": {
            "receiver": "operators",  # also what no route below knows
            "group_by": ["alertname", "program", "team"],
            # from the first alert of a group to its message, and from one more in the group to the next message
            "group_wait": "5s",
            "group_interval": "30s",
            "repeat_interval": REPEAT["operators"],
            "routes": [
                {
                    "matchers": ['alertname="Watchdog"'],
                    "receiver": WATCHDOG,
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                *(
                    {"matchers": [f'audience="{audience}"'], "receiver": audience, "repeat_interval": REPEAT[audience]}
                    for audience in get_args(Audience)
                ),
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="FeedSilent"', f'topic="{topic}"'],
                "target_matchers": ['layer="domain"', f'feeds=~"(.+,)?{topic}(,.+)?"'],
                "equal": ["program"],
            }
            for topic in TOPICS
        ],
        "receivers": [{"name": name, **receivers.get(name, {})} for name in names],
    }


assert {alert.audience for alert in ALERTS} == set(get_args(Audience)), "each receiver is told something"
