-- Sessions that a run left which was killed: they would go on reading, and hold their locks. The caller has the lock of the
-- backup directory, so that no live run can be meant; another host's bears that host's name.
SELECT concat('ended ', pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = current_setting('application_name') AND usename = current_user AND datname = current_database() AND pid <> pg_backend_pid();
