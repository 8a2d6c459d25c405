DROP TABLE sign_in_failure, sign_in, account_membership, staff, account, location, organisation;
DROP FUNCTION current_org();
REVOKE USAGE ON SCHEMA public FROM clinic_app;
