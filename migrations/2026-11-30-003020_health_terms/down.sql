DROP TABLE health_term;
