DROP TABLE replaced_token;
