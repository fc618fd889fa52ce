# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's message by e-mail: plain text, over a connection that is encrypted and whose certificate is checked unless the inventory says otherwise."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from typing import Any

from ...common.errors import OpsError
from .notice import Notice

# Documented by the module health_report.
OPTIONS: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 587},
    "security": {"type": "str", "default": "starttls", "choices": ["starttls", "tls", "none"]},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "sender": {"type": "str", "required": True},
    "to": {"type": "list", "elements": "str", "required": True},
}
CONDITIONS: dict[str, Any] = {"required_together": [("username", "password")]}


def message(notice: Notice, options: Mapping[str, Any]) -> EmailMessage:
    """The e-mail. Raises ValueError if an address cannot stand in a header."""
    mail = EmailMessage()
    mail["From"] = options["sender"]
    mail["To"] = ", ".join(options["to"])
    mail["Subject"] = notice.subject
    mail["Date"] = localtime()
    mail["Message-ID"] = make_msgid(domain=options["sender"].rpartition("@")[2].rstrip("> ") or None)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
    mail.set_content("\n\n".join([notice.subject, *notice.body]) + "\n")
    return mail


def send(mail: EmailMessage, options: Mapping[str, Any]) -> None:
    """Hand it to the server. Raises OpsError if some recipients are refused, and what smtplib raises for everything else."""
    context = ssl.create_default_context(cafile=options["ca_file"])
    where = {"host": options["host"], "port": options["port"], "timeout": options["timeout"]}
    with smtplib.SMTP_SSL(**where, context=context) if options["security"] == "tls" else smtplib.SMTP(**where) as server:
        if options["security"] == "starttls":
            server.starttls(context=context)
        if options["username"]:
            server.login(options["username"], options["password"])
        refused = server.send_message(mail)
    if refused:
        raise OpsError(f"the mail server refused {', '.join(sorted(refused))}, and took the message for the others")
