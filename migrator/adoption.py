"""Adopt an existing database: hand its objects over to the owner of the request, or back. Runs after the role setup."""

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.default_privileges import copy_default_privileges
from migrator.events import RolesRequest
from migrator.hand_over import hand_over
from rds_iam.deadline import Deadline


def adopt(connection: Connection, request: RolesRequest, deadline: Deadline) -> int:
    """Hand the objects over as the request says. Return the number of objects. Raises RolesError.

    Each object has a transaction. The previous owners are members of the new one before the first object is handed
    over, so that their sessions may use the objects all the time.
    """
    if request.hand_back_to:
        return hand_over(connection, [request.owner], request.hand_back_to, deadline)
    if not request.hand_over_from:
        return 0
    count = hand_over(connection, request.hand_over_from, request.owner, deadline)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path TO pg_catalog, pg_temp")
        copy_default_privileges(cursor, request.hand_over_from, request.owner)
    return count
