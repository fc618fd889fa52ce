# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue queries of audit.py. The last column of those that have grants is an array of pairs (role or PUBLIC, right), the owner's own left out.

Schemas of tenants (tenant_…) are theirs: only who may enter them counts, and that is looked at per tenant.
"""

from __future__ import annotations

RELATIONS = """
SELECT n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner)::text, c.relrowsecurity, c.relforcerowsecurity, coalesce(c.reloptions, '{}'),
       (SELECT t.attnotnull FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = %(column)s AND NOT t.attisdropped),
       ARRAY(SELECT ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type]
             FROM (SELECT grantee, privilege_type FROM aclexplode(c.relacl)
                   UNION SELECT e.grantee, e.privilege_type FROM pg_attribute t, aclexplode(t.attacl) e
                   WHERE t.attrelid = c.oid AND NOT t.attisdropped) a
             WHERE a.grantee <> c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^(pg_|information_schema$|tenant_)' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
POLICIES = """
SELECT n.nspname, c.relname, p.polname, p.polpermissive, p.polcmd::text,
       ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END FROM unnest(p.polroles) r),
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s)
"""
# What a row refers to (here=there), and what must be unique; exclusion constraints count as unique over nothing.
CONSTRAINTS = """
SELECT 'reference', n.nspname, c.relname, fn.nspname || '.' || f.relname, k.conname,
       ARRAY(SELECT a.attname::text || '=' || b.attname FROM unnest(k.conkey, k.confkey) AS pair(here, there)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.here
             JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.there)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype = 'f' AND n.nspname = %(tables)s
UNION ALL
SELECT 'index', n.nspname, c.relname, '', x.relname,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND n.nspname = %(tables)s
UNION ALL
SELECT 'index', n.nspname, c.relname, '', k.conname, ARRAY[]::text[]
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'x' AND n.nspname = %(tables)s
"""
FUNCTIONS = """
SELECT n.nspname, p.proname, pg_get_userbyid(p.proowner)::text, p.prosecdef, coalesce(p.proconfig, '{}'), p.prosrc,
       ARRAY(SELECT ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type]
             FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^(pg_|information_schema$|tenant_)' AND (p.prosecdef OR n.nspname = ANY(%(schemas)s))
"""
NAMESPACES = """
SELECT n.nspname, pg_get_userbyid(n.nspowner)::text,
       ARRAY(SELECT ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type]
             FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE a.grantee <> n.nspowner)
FROM pg_namespace n WHERE n.nspname !~ '^(pg_|information_schema$|tenant_)'
"""
# Everything that the role that counts rows may do with relations: the relation, the column ('' for the whole), the right.
CENSUS = """
SELECT n.nspname || '.' || c.relname, g.attname, g.privilege_type
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT '' AS attname, a.grantee, a.privilege_type FROM aclexplode(c.relacl) a
                    UNION ALL SELECT t.attname::text, e.grantee, e.privilege_type FROM pg_attribute t, aclexplode(t.attacl) e
                    WHERE t.attrelid = c.oid AND NOT t.attisdropped) g
WHERE pg_get_userbyid(g.grantee) = %(census)s
"""
ROLES = """
SELECT r.rolname, r.rolsuper, r.rolbypassrls, r.rolcanlogin, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
       ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members m WHERE m.member = r.oid)
FROM pg_roles r WHERE r.rolname ^@ 'leanvibe_' OR r.oid IN (SELECT relowner FROM pg_class) OR r.oid IN (SELECT proowner FROM pg_proc)
   OR r.oid IN (SELECT m.member FROM pg_auth_members m WHERE pg_get_userbyid(m.roleid) = %(census)s)
"""
DATABASE = """
SELECT ARRAY(SELECT ARRAY[CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type]
             FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee <> d.datdba)
FROM pg_database d WHERE d.datname = current_database()
"""
MADE = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %(private)s)"
EXEMPTIONS = "SELECT kind, object, reason FROM leanvibe_private.exemptions"
