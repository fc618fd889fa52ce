-- Everything in database leanvibe that is named after a tenant, one JSON object in a line: {"tenant": role's name, "object": name, "content": …}.
-- Read by the server's superuser, whom row-level security does not bind.
SET client_min_messages = warning;

SELECT json_build_object('tenant', r.rolname, 'object', 'role', 'content', json_build_object(
    'login', rolcanlogin, 'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole, 'createdb', rolcreatedb,
    'replication', rolreplication, 'bypassrls', rolbypassrls, 'connections', rolconnlimit, 'password', split_part(rolpassword, '$', 1),
    'valid until', nullif(rolvaliduntil, 'infinity'), 'comment', shobj_description(r.oid, 'pg_authid'),
    'settings', (SELECT json_object_agg(coalesce(datname, '(all)'), (SELECT array_agg(c ORDER BY c) FROM unnest(setconfig) c))
        FROM pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase WHERE setrole = r.oid),
    'member of', (SELECT array_agg(g.rolname || CASE WHEN admin_option THEN ' (admin)' ELSE '' END ORDER BY g.rolname)
        FROM pg_auth_members JOIN pg_roles g ON g.oid = roleid WHERE member = r.oid),
    'members', (SELECT array_agg(m.rolname || CASE WHEN admin_option THEN ' (admin)' ELSE '' END ORDER BY m.rolname)
        FROM pg_auth_members JOIN pg_roles m ON m.oid = member WHERE roleid = r.oid)))
FROM pg_authid r WHERE r.rolname LIKE 'tenant\_%';

SELECT json_build_object('tenant', nspname, 'object', 'schema', 'content', json_build_object(
    'owner', pg_get_userbyid(nspowner), 'comment', obj_description(n.oid, 'pg_namespace'),
    'rights', (SELECT array_agg(format('%s: %s%s', CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type,
        CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END) ORDER BY 1) FROM (SELECT (aclexplode(nspacl)).*) a)))
FROM pg_namespace n WHERE nspname LIKE 'tenant\_%';

-- Rights that tenants' roles have, or have given, by default.
SELECT json_build_object('tenant', pg_get_userbyid(defaclrole), 'object', format('default rights %s %s', coalesce(nspname, '(all)'), defaclobjtype),
    'content', (SELECT array_agg(format('%s: %s', CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type) ORDER BY 1)
        FROM aclexplode(defaclacl) a))
FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace WHERE pg_get_userbyid(defaclrole) LIKE 'tenant\_%';

-- Rights that were given to tenants' roles themselves.
SELECT json_build_object('tenant', pg_get_userbyid(grantee), 'object', format('rights on %s', name), 'content', array_agg(privilege_type ORDER BY privilege_type))
FROM (
    SELECT format('%s %s.%s', relkind, nspname, relname) AS name, (aclexplode(relacl)).* FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname NOT LIKE 'tenant\_%'
    UNION ALL SELECT format('database %s', datname), (aclexplode(datacl)).* FROM pg_database
    UNION ALL SELECT format('function %s', p.oid::regprocedure), (aclexplode(proacl)).* FROM pg_proc p
    UNION ALL SELECT format('schema %s', nspname), (aclexplode(nspacl)).* FROM pg_namespace WHERE nspname NOT LIKE 'tenant\_%'
) given WHERE grantee <> 0 AND pg_get_userbyid(grantee) LIKE 'tenant\_%' GROUP BY grantee, name;

-- Relations and functions in tenants' schemas.
SELECT json_build_object('tenant', nspname, 'object', format('%s %s', relkind, relname), 'content', pg_get_userbyid(relowner))
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'tenant\_%';

-- Rows of shared tables: of the table tenants, and of every table with a column tenant_id.
SELECT format('SELECT json_build_object(''tenant'', %1$L || replace(coalesce(to_jsonb(t) ->> ''tenant_id'', to_jsonb(t) ->> ''id''), ''-'', ''_''), ''object'', %2$L, ''content'', to_jsonb(t)) FROM %3$I.%4$I t',
    'tenant_', format('row of %s.%s', nspname, relname), nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' AND nspname NOT LIKE 'tenant\_%'
    AND (relname = 'tenants' OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND attname = 'tenant_id'))
\gexec
