-- The tables of the secret store in PostgreSQL (secrets.stores = postgres). The first three are the reference service's; one
-- row a secret, whose encrypted_value opens only at its user, name and version. May be run again.
BEGIN;

CREATE TABLE IF NOT EXISTS secrets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text NOT NULL,
  name text NOT NULL,
  encrypted_value text NOT NULL,
  version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, name)
);

CREATE TABLE IF NOT EXISTS secret_policies (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text NOT NULL,
  secret_name text NOT NULL,
  service_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, secret_name, service_id)
);

CREATE TABLE IF NOT EXISTS secret_audit_logs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  secret_name text NOT NULL,
  action text NOT NULL,
  service_id text NOT NULL,
  ip_address text,
  user_agent text,
  success boolean NOT NULL,
  error_message text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS secret_audit_logs_by_secret ON secret_audit_logs (user_id, secret_name, id);

-- How often a secret whose policy counts that was used: sealed, as the value is.
CREATE TABLE IF NOT EXISTS secret_uses (
  user_id text NOT NULL,
  name text NOT NULL,
  uses text NOT NULL,
  PRIMARY KEY (user_id, name)
);

COMMIT;
