DROP INDEX sign_in_without_network;
DROP INDEX sign_in_network;
ALTER TABLE sign_in DROP COLUMN network;
DROP TABLE refused_sign_in;
