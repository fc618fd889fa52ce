# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's message to Slack, by the vendor's own library: to an incoming webhook, or with a bot's token to a channel."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from ...common.errors import OpsError
from ...common.lazy import LazyModule
from .notice import Notice, short

slack_sdk = LazyModule("slack_sdk")
_webhook = LazyModule("slack_sdk.webhook")

# Documented by the module health_report.
OPTIONS: dict[str, Any] = {
    "webhook_url": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "channel": {"type": "str"},
    "api_url": {"type": "str", "default": "https://slack.com/api/"},
}
CONDITIONS: dict[str, Any] = {
    "mutually_exclusive": [("webhook_url", "token")],
    "required_one_of": [("webhook_url", "token")],
    "required_together": [("token", "channel")],
}


def _escaped(text: str) -> str:
    """Text that Slack takes for nothing else: no mentions, no links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def payload(notice: Notice) -> dict[str, Any]:
    """The message's fields. Names of hosts and paths are not made into previews."""
    text = "\n".join([f"*{_escaped(notice.subject)}*", *(f"• {_escaped(line)}" for line in notice.body)])
    return {"text": text, "unfurl_links": False, "unfurl_media": False}


def send(fields: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Send it. Raises OpsError if Slack does not take it, and what the library raises if there is no answer."""
    how = {"timeout": max(1, int(options["timeout"])), "ssl": ssl.create_default_context(cafile=options["ca_file"])}
    if options["webhook_url"]:
        answer = _webhook.WebhookClient(options["webhook_url"], **how).send(**fields)
        if answer.status_code != 200 or answer.body.strip() != "ok":
            raise OpsError(f"Slack answered {answer.status_code}: {short(answer.body, 80) or 'nothing'}")
        return
    client = slack_sdk.WebClient(token=options["token"], base_url=options["api_url"], **how)
    try:
        client.chat_postMessage(channel=options["channel"], **fields)
    except slack_sdk.errors.SlackApiError as error:
        told = error.response
        raise OpsError(f"Slack answered {told.status_code}: {short(str(told.data.get('error', 'no reason')), 80)}") from error
