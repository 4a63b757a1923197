"""A database that an application used before: tables of several roles, with everything that depends on them."""

from tests.postgres.role_setup import run
from tests.postgres.servers import Cluster

SHOP = 'Shop "Main"'
CREATE_ROLES = '''
CREATE ROLE "Shop ""Main""" LOGIN PASSWORD 'shop''s';
CREATE ROLE billing LOGIN PASSWORD 'billing''s';
CREATE ROLE reporting LOGIN PASSWORD 'reporting''s';
GRANT CREATE ON DATABASE app TO "Shop ""Main""", billing;
GRANT CREATE ON SCHEMA public TO "Shop ""Main""", billing;
CREATE EXTENSION citext SCHEMA public;
'''
OF_SHOP = """
CREATE SCHEMA "Sales";
CREATE TYPE state AS ENUM ('open', 'paid');
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
CREATE TYPE size AS (width int, height int);
CREATE TYPE span AS RANGE (subtype = int);
CREATE TABLE customers (id serial PRIMARY KEY, mail email, state state DEFAULT 'open', size size, span span);
CREATE TABLE "Sales"."Order Lines" (id int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES customers, at date)
    PARTITION BY RANGE (at);
CREATE TABLE "Sales".lines_2026 PARTITION OF "Sales"."Order Lines" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE secrets (owner text, value text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON secrets USING (owner = current_user);
CREATE SEQUENCE numbers;
CREATE VIEW open_customers AS SELECT * FROM customers WHERE state = 'open';
CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM customers;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a + b';
CREATE PROCEDURE noop(state) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE STATISTICS both_columns ON id, state FROM customers;
CREATE COLLATION german (locale = 'C');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
SELECT lo_create(4242);
GRANT SELECT ON customers TO reporting;
GRANT SELECT (mail) ON customers TO billing;
GRANT USAGE ON SCHEMA "Sales" TO reporting;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reporting;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Sales" GRANT USAGE ON SEQUENCES TO reporting WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
INSERT INTO customers (mail) VALUES ('a@example.com');
INSERT INTO secrets VALUES ('nobody', 'hidden');
"""
OF_BILLING = """
CREATE SCHEMA billing;
CREATE TABLE billing.invoices (id bigserial PRIMARY KEY, total numeric);
CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY);
GRANT SELECT ON billing.invoices TO reporting;
GRANT USAGE ON SCHEMA billing TO reporting;
"""
LEFT_OVER = '''
SELECT pg_get_userbyid(refobjid), pg_describe_object(classid, objid, 0) FROM pg_shdepend
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype = 'o'
    AND refobjid IN ('billing'::regrole, '"Shop ""Main"""'::regrole) AND classid <> 'pg_default_acl'::regclass
'''


def create_existing_database(cluster: Cluster) -> None:
    """Create the roles, as the master user, and the objects of the application."""
    with cluster.connect_as_master() as master:
        run(master, CREATE_ROLES)
    for role, statements in ((SHOP, OF_SHOP), ("billing", OF_BILLING)):
        quoted = '"' + role.replace('"', '""') + '"'
        cluster.admin(f"SET ROLE {quoted}; {statements}")
