"""What an account may do, changed by its practice's administrator. Time is an argument (Unix seconds)."""

from __future__ import annotations

from sqlalchemy import update

from server import audit
from server.accounts import ADMINISTRATOR, AccountRow, find_account
from server.accounts_schema import ROLES, Account
from server.audit import Act
from server.database import Database
from server.errors import RefusedError


def change_role(
    database: Database, practice_id: bytes, account_id: bytes, role: str, *, now: int, actor: str
) -> AccountRow:
    """Give an account another role; the same one again changes nothing.

    Who is only invited can become anything. Afterwards readers stay readers, as an administrator has no keys
    and a reader has. Raises RefusedError: 400 `body`, 404 `account`, 409 `role_fixed`.
    """
    if role not in ROLES:
        raise RefusedError(400, "body", f"A role is one of: {', '.join(ROLES)}.")
    with database.write() as connection:
        theirs = (Account.id == account_id) & (Account.practice_id == practice_id)
        account = find_account(connection, theirs, hold=True)
        if account is None:
            raise RefusedError(404, "account", "There is no such account.", "See GET /v1/practice/accounts.")
        if account.role == role:
            return account
        if account.state == "closed":
            raise RefusedError(409, "role_fixed", "This account is closed.", "Invite the person anew.")
        if account.state == "active" and ADMINISTRATOR in (role, account.role):
            raise RefusedError(
                409,
                "role_fixed",
                "Administrators have no keys, and who reads has: one does not become the other.",
                "Invite the person anew, under another name, for the other role.",
            )
        connection.execute(update(Account).where(Account.id == account_id).values(role=role))
        subject = f"account:{account_id.hex()} {role}"
        audit.write(
            connection, Act.ACCOUNT_CHANGED, now=now, actor=actor, subject=subject, practice_id=practice_id
        )
        changed = find_account(connection, Account.id == account_id)
    assert changed is not None  # noqa: S101
    return changed
